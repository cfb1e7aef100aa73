#!/bin/bash
# SPDX-License-Identifier: ISC
# Build the Debian packages of what is committed, in a clean chroot, and have lintian look at them.
#
#   build.sh SUITE
#
# build/deb/SUITE becomes an apt repository of them; next/ in it has the same packages by a higher version, for tests
# of upgrades. SKYTOOLS_TREE names another tree than HEAD.
# shellcheck source=common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

suite=${1:-}
require_suite "$suite"
tree=${SKYTOOLS_TREE:-HEAD}
out=$TOP/build/deb/$suite
work=$CHROOTS/build-$suite.$$
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP

deps=$CHROOTS/deps-$suite
make_deps() { # the base with the build's dependencies, and lintian
    local wanted
    wanted=$(git -C "$TOP" show "$tree:debian/control.in" | sed -n '/^Build-Depends/,/^[^ ]*:/p' | sha256sum)
    if [ "$(cat "$deps/etc/skytools-build" 2>/dev/null)" = "$wanted" ]; then return 0; fi
    say "$suite: installing what the build needs"
    copy_root "$CHROOTS/base-$suite" "$deps.new"
    mkdir -p "$deps.new/tmp/source/debian"
    git -C "$TOP" show "$tree:debian/control.in" | sed s/PGVERSION/0/ >"$deps.new/tmp/source/debian/control"
    apt_in "$deps.new" install build-essential lintian fakeroot
    in_root "$deps.new" sh -c 'cd /tmp/source && apt-get -y -q -o Dpkg::Use-Pty=0 build-dep ./' \
        >"$CHROOTS/deps-$suite.log" 2>&1 || {
        failed_download "$CHROOTS/deps-$suite.log" && unable "build-dep cannot download"
        die "build-dep failed: $(tail -n 5 "$CHROOTS/deps-$suite.log")"
    }
    rm -rf "$deps.new/tmp/source"
    in_root "$deps.new" useradd -m -d /build build
    printf '%s\n' "$wanted" >"$deps.new/etc/skytools-build"
    rm -rf "$deps"
    mv "$deps.new" "$deps"
}

upstream=$(git -C "$TOP" show "$tree:debian/changelog" | sed -nE '1s/.*\((.*)-[^-]*\).*/\1/p')
unpack() { # the source package's two parts, below /build
    local folder=$work/build/skytools-$upstream
    git -C "$TOP" archive --prefix="skytools-$upstream/" "$tree" -- . ':!debian' |
        xz -1 >"$work/build/skytools_$upstream.orig.tar.xz"
    tar -C "$work/build" -xf "$work/build/skytools_$upstream.orig.tar.xz"
    git -C "$TOP" archive "$tree" debian | tar -C "$folder" -xf -
    add_entry "$folder/debian/changelog"
}

# Newer suites have higher versions, so that an upgrade of the system takes their packages.
add_entry() { # CHANGELOG
    local version suffix
    case $suite in bookworm) suffix=~deb12u1 ;; trixie) suffix=~deb13u1 ;; sid) suffix= ;; esac
    version=$(sed -nE '1s/.*\((.*)\).*/\1/p' "$1")
    version=$version$suffix
    [ -n "$suffix" ] || return 0
    {
        printf 'skytools (%s) %s; urgency=medium\n\n  * Build for %s.\n\n' "$version" "$suite" "$suite"
        # A minute later than the entry before.
        printf '%s  %s\n' "$(sed -nE '/^ -- /{s/^( -- .*>)  .*/\1/p;q}' "$1")" \
            "$(date -R -d "$(sed -nE '/^ -- /{s/^ -- .*>  //p;q}' "$1") + 1 minute")"
        printf '\n'
        cat "$1"
    } >"$1.new"
    mv "$1.new" "$1"
}

make_base "$suite"
make_deps
copy_root "$deps" "$work"
unpack
say "$suite: building skytools $upstream"
# shellcheck disable=SC2016
in_root "$work" bash -euc '
    chown -R build: /build
    cd /build/skytools-*
    runuser -u build -- pg_buildext updatecontrol
    runuser -u build -- dpkg-buildpackage -us -uc
' >"$CHROOTS/build-$suite.log" 2>&1 || {
    tail -n 40 "$CHROOTS/build-$suite.log" >&2
    die "the build failed, see $CHROOTS/build-$suite.log"
}
rm -rf "$out"
mkdir -p "$out"
find "$work/build" -maxdepth 1 -type f -name 'skytools_*' ! -name '*.deb' -exec cp -t "$out" {} +
say "$suite: lintian"
# Not an upload to Debian, whose first one closes the bug that asked for it.
in_root "$work" bash -c 'cd /build && exec runuser -u build -- lintian --fail-on none --show-overrides \
    --suppress-tags initial-upload-closes-no-bugs *.changes' \
    >"$out/lintian.log" 2>&1 || die "lintian failed, see $out/lintian.log"
if grep '^[EW]:' "$out/lintian.log" >&2; then
    die "lintian finds fault, see $out/lintian.log"
fi
# shellcheck disable=SC2016
in_root "$work" bash -euc '
    mkdir -p /repo
    cp /build/*.deb /repo
    cd /repo
    dpkg-scanpackages -m . >Packages
    mkdir next
    for deb in *.deb; do
        dpkg-deb -R "$deb" /tmp/parts
        version=$(sed -n "s/^Version: //p" /tmp/parts/DEBIAN/control)
        sed -i "s/$version/$version+next/g" /tmp/parts/DEBIAN/control
        dpkg-deb -b --root-owner-group /tmp/parts next >/dev/null
        rm -r /tmp/parts
    done
    cd next
    dpkg-scanpackages -m . >Packages
' >/dev/null 2>&1 || die "making the repository failed"
cp -r "$work/repo/." "$out/"
find "$out" -maxdepth 1 -name '*.deb' -printf '%f\n' | sort
