#!/bin/bash
# SPDX-License-Identifier: ISC
# test-deb.sh for continuous integration: where the machine can do it, else a line that says why not, and good. What it
# can do is tried first, up to a boot of a system without our packages: a failure after that is one of the packages.
# shellcheck source=common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=boot.sh
. "$TOP/tests/packaging/boot.sh"

suite=${1:-trixie}
not_here() { printf 'packages: not tested here: %s\n' "$*"; exit 0; }

[ "$(id -u)" = 0 ] || not_here "needs root"
[ "${SKYTOOLS_PACKAGES:-yes}" != no ] || not_here "SKYTOOLS_PACKAGES=no"
if ! command -v debootstrap >/dev/null && command -v apt-get >/dev/null; then
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap >/dev/null 2>&1 || true
fi
for program in debootstrap unshare nsenter ip; do
    command -v "$program" >/dev/null || not_here "$program is not installed"
done
mkdir -p "$CHROOTS"
free=$(df --output=avail -BG "$CHROOTS" | tail -n 1 | tr -dc 0-9)
[ "$free" -ge 10 ] || not_here "$CHROOTS has $free GB of space, 10 are needed"
# shellcheck disable=SC2016
unshare --mount --pid --uts --ipc --cgroup --net --fork bash -ec '
    mount --make-rprivate /
    mount -t tmpfs tmpfs "$0"
    mkdir "$0/proc" "$0/cgroup"
    mount -t proc proc "$0/proc"
    mount -t cgroup2 cgroup2 "$0/cgroup"
' "$CHROOTS" 2>/dev/null || not_here "namespaces, or mounts in them, are not allowed"

root=$CHROOTS/trial-$suite.$$
trap 'shut_down; rm -rf "$root" "$root.boot.log"' EXIT
trap 'exit 1' INT TERM HUP
set +e # not in a condition, where `set -e` has no effect inside
why=$(
    set -e
    exec 2>&1
    make_base "$suite"
    copy_root "$CHROOTS/base-$suite" "$root"
    trap shut_down EXIT
    boot "$root"
    # The sandbox of our units, around a program that does nothing.
    inside systemd-run --quiet --wait -p User=daemon -p NoNewPrivileges=yes -p ProtectSystem=strict \
        -p ProtectHome=yes -p PrivateTmp=yes -p PrivateDevices=yes -p ProtectKernelTunables=yes \
        -p ProtectKernelLogs=yes -p ProtectControlGroups=yes -p ProtectHostname=yes -p ProtectProc=invisible \
        -p RestrictNamespaces=yes -p MemoryDenyWriteExecute=yes -p RuntimeDirectory=trial -p LogsDirectory=trial \
        -p SystemCallFilter=@system-service -p 'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6' true ||
        die "no sandbox for services"
)
able=$?
set -e
[ "$able" = 0 ] || not_here "$suite cannot be booted: $(tail -n 1 <<<"$why")"

timeout -k 60 2700 "$TOP/tests/packaging/test-deb.sh" "$suite" || {
    status=$?
    case $status in
        75) not_here "the network has gone, see above" ;;
        124 | 137) not_here "three quarters of an hour were not enough" ;;
    esac
    exit "$status"
}
