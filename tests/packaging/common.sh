# SPDX-License-Identifier: ISC
# Sourced: roots of Debian suites below SKYTOOLS_CHROOTS, and commands in them.
# shellcheck shell=bash disable=SC2034
#
# base-SUITE is a minimal system with systemd, made once; deps-SUITE adds what a build needs. Work is done in copies.
set -euo pipefail

TOP=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
CHROOTS=${SKYTOOLS_CHROOTS:-/var/tmp/skytools-chroots}
MIRROR=${SKYTOOLS_MIRROR:-http://deb.debian.org/debian}
COMPONENTS=main
# The script of debootstrap, where it knows none of the suite's name.
SCRIPT=

die() { printf 'packaging: %s\n' "$*" >&2; exit 1; }
# What the machine or its network cannot do is no fault of the packages: an exit status of its own.
unable() { printf 'packaging: %s\n' "$*" >&2; exit 75; }
failed_download() { # LOG
    grep -qE 'Failed to fetch|Could not resolve|Could not connect|Unable to connect|Connection (failed|timed out)' "$1"
}
say() { printf 'packaging: %s\n' "$*" >&2; }

require_suite() {
    case ${1:-} in
        bookworm | trixie | sid) ;;
        *) die "SUITE=${1:-} is not known; say SUITE=bookworm, SUITE=trixie or SUITE=sid" ;;
    esac
    require_chroots "$1"
}

require_chroots() { # SUITE
    [ "$(id -u)" = 0 ] || die "needs root, for a chroot of $1"
    local program
    for program in debootstrap unshare nsenter; do
        command -v "$program" >/dev/null || die "$program is missing: apt-get install debootstrap util-linux"
    done
    mkdir -p "$CHROOTS"
}

major_of() { # SUITE: the PostgreSQL that it has
    case $1 in bookworm) echo 15 ;; trixie) echo 17 ;; sid) echo 18 ;; esac
}

# Runs a command in a root, with proc, devices and the suite's cache of packages, in namespaces that end with it.
in_root() { # FOLDER COMMAND...
    local root=$1
    shift
    # shellcheck disable=SC2016
    unshare --mount --pid --ipc --fork --kill-child bash -euc '
        root=$1 cache=$2
        shift 2
        mount --make-rprivate /
        mount -t proc proc "$root/proc"
        mount -t tmpfs tmpfs "$root/dev"
        for node in null zero full random urandom tty; do
            touch "$root/dev/$node"
            mount --bind "/dev/$node" "$root/dev/$node"
        done
        mkdir "$root/dev/shm" "$root/dev/pts"
        mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
        mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
        ln -s pts/ptmx "$root/dev/ptmx"
        ln -s /proc/self/fd "$root/dev/fd"
        mkdir -p "$cache"
        mount --bind "$cache" "$root/var/cache/apt/archives"
        exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
            chroot "$root" "$@"
    ' bash "$root" "$CHROOTS/cache-$(cat "$root/etc/skytools-suite")" "$@"
}

apt_in() { # FOLDER ARGUMENTS...: quiet as long as it goes well
    local root=$1 log
    shift
    log=$(mktemp)
    if ! in_root "$root" apt-get -y -q -o Dpkg::Use-Pty=0 -o APT::Keep-Downloaded-Packages=true "$@" >"$log" 2>&1; then
        tail -n 30 "$log" >&2
        failed_download "$log" && unable "apt-get cannot download: $*"
        rm -f "$log"
        die "apt-get $* failed in $root"
    fi
    rm -f "$log"
}

make_base() { # SUITE
    local suite=$1 root=$CHROOTS/base-$1
    [ ! -d "$root/etc" ] || cp /etc/resolv.conf "$root/etc/resolv.conf"
    [ ! -f "$root/etc/skytools-suite" ] || return 0
    if [ ! -d "$root" ]; then
        say "debootstrap $suite"
        rm -rf "$root.new"
        debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,ca-certificates \
            --components="${COMPONENTS// /,}" "$suite" "$root.new" "$MIRROR" ${SCRIPT:+"$SCRIPT"} \
            >"$CHROOTS/debootstrap-$suite.log" 2>&1 ||
            unable "debootstrap failed: $(tail -n 3 "$CHROOTS/debootstrap-$suite.log")"
        mv "$root.new" "$root"
    fi
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    printf '127.0.0.1 localhost\n' >"$root/etc/hosts"
    # Nothing is started by installations in a chroot.
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
    # A mirror may stand still for longer than its lists are valid.
    printf 'Acquire::Languages "none";\nAcquire::Check-Valid-Until "false";\nAPT::Install-Recommends "false";\nAcquire::Retries "5";\n' \
        >"$root/etc/apt/apt.conf.d/90skytools"
    printf '%s\n' "$suite" >"$root/etc/skytools-suite"
    apt_in "$root" update
}

copy_root() { # FROM TO
    rm -rf "$2"
    cp -a --reflink=auto "$1" "$2"
}
