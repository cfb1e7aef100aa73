#!/bin/bash
# SPDX-License-Identifier: ISC
# A fresh clone of what is committed in a bare Debian, where root has git, make and ca-certificates and nothing else:
# the two commands of the README must be enough.
#
#   test-clone.sh SUITE [demo|test|demo test]
#
# `make test` is the whole suite, 15 to 30 minutes. Output of the commands: build/clone/SUITE. The packages and Python
# modules that they need come over the network.
# shellcheck source=common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

suite=${1:-}
read -ra commands <<<"${2:-demo test}"
require_suite "$suite"
for command in "${commands[@]}"; do
    case $command in demo | test) ;; *) die "test-clone.sh $suite $command: say demo or test" ;; esac
done
logs=$TOP/build/clone/$suite
mkdir -p "$logs"

root=$CHROOTS/clone-$suite.$$
trap 'rm -rf "$root"' EXIT
trap 'exit 1' INT TERM HUP
make_base "$suite"
copy_root "$CHROOTS/base-$suite" "$root"
# Not at an end that has moved on since the base was made.
apt_in "$root" update
apt_in "$root" install git make ca-certificates
# The way out to the network that this machine has: authorities that it trusts, and what pip is told of them.
if [ -d /usr/local/share/ca-certificates ]; then
    cp -R /usr/local/share/ca-certificates "$root/usr/local/share/"
    in_root "$root" update-ca-certificates >/dev/null 2>&1
fi
[ ! -f /etc/pip.conf ] || cp /etc/pip.conf "$root/etc/pip.conf"
# It would keep packages from starting services: that is .ci/prepare's duty here.
rm "$root/usr/sbin/policy-rc.d"
git clone -q --bare "$TOP" "$root/srv/skytools.git"
in_root "$root" git clone -q file:///srv/skytools.git /root/skytools

failed=0
run() { # COMMAND WORDS...: make in the clone
    local name=$1 log=$logs/$1.log started=$SECONDS
    shift
    if in_root "$root" make -C /root/skytools "$@" >"$log" 2>&1; then
        printf 'ok    %s clone: make %s (%d s): %s\n' "$suite" "$*" "$((SECONDS - started))" "$(tail -n 1 "$log")"
    else
        failed=1
        printf 'FAIL  %s clone: make %s (%d s), %s:\n' "$suite" "$*" "$((SECONDS - started))" "$log"
        tail -n 15 "$log" | sed 's/^/      /'
    fi
    # Installed for the tests, not started: this could be somebody's machine.
    [ -z "$(find "$root/etc/postgresql" -name postgresql.conf 2>/dev/null)" ] || {
        failed=1
        printf 'FAIL  %s clone: make %s has made a server of the system\n' "$suite" "$name"
    }
    [ -z "$(in_root "$root" git -C /root/skytools status --porcelain)" ] || {
        failed=1
        printf 'FAIL  %s clone: make %s leaves files that git does not ignore\n' "$suite" "$name"
    }
}
for command in "${commands[@]}"; do
    case $command in
        demo) run demo demo SECONDS=20 ;;
        test) run test test ;;
    esac
done
exit "$failed"
