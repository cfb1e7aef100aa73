#!/bin/bash
# SPDX-License-Identifier: ISC
# Unpack Debian's pgq 3.5 packages into build/peers and lay their extension beside ours in a copy of the server tree.
#
#   bench/peers.sh            prints the path of the copied tree's programs
#
# Nothing is installed into the system. Needs apt's package lists; `apt-get download` needs no root.
set -euo pipefail

cd -- "$(dirname -- "$0")/.."
peers=$PWD/build/peers
tree=$(cat build/pg15.path)
copy=$(dirname "$tree")/pg15-bench

die() { echo "bench: $*" >&2; exit 1; }

if [ ! -x "$peers/usr/bin/pgqd" ]; then
    mkdir -p "$peers/deb"
    (
        cd "$peers/deb"
        # As root apt would drop to a user who cannot write here.
        apt-get -o APT::Sandbox::User=root -qq download \
            python3-pgq python3-skytools python3-psycopg2 pgqd libevent-2.1-7 postgresql-15-pgq3
    ) || die "Debian's packages of pgq 3.5 cannot be downloaded; try apt-get update first"
    for deb in "$peers"/deb/*.deb; do
        dpkg-deb -x "$deb" "$peers"
    done
fi

rm -rf "$copy"
cp -a "$tree" "$copy"
cp "$peers"/usr/lib/postgresql/15/lib/*.so "$copy/usr/lib/postgresql/15/lib/"
# The control file stays ours: `create extension pgq version '3.5'` takes the old one.
cp "$peers"/usr/share/postgresql/15/extension/pgq--3.5.sql "$copy/usr/share/postgresql/15/extension/"
echo "$copy/usr/lib/postgresql/15/bin"
