#!/bin/bash
# SPDX-License-Identifier: ISC
# Unpack Debian's packages of Skytools 3 into build/peers and lay their extensions beside ours in a copy of the server tree.
#
#   bench/peers.sh [NAME]     copies the tree to pg15-NAME (default: bench); prints the path of its programs
#
# Nothing is installed into the system. Needs apt's package lists; `apt-get download` needs no root.
set -euo pipefail

cd -- "$(dirname -- "$0")/.."
peers=$PWD/build/peers
[ -f build/pg15.path ] || { echo "peers: run make sql with the PG_CONFIG of PostgreSQL 15 first: Debian's packages are for it" >&2; exit 1; }
tree=$(cat build/pg15.path)
copy=$(dirname "$tree")/pg15-${1:-bench}
share=$copy/usr/share/postgresql/15
packages=(
    python3-pgq python3-skytools python3-psycopg2 python3-londiste pgqd libevent-2.1-7
    postgresql-15-pgq3 postgresql-15-pgq-node postgresql-15-londiste-sql
)

die() { echo "peers: $*" >&2; exit 1; }

mkdir -p "$peers/deb"
exec 9>"$peers/.lock"
flock 9
missing=()
for package in "${packages[@]}"; do
    compgen -G "$peers/deb/${package}_*.deb" >/dev/null || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
    (
        cd "$peers/deb"
        # As root apt would drop to a user who cannot write here.
        apt-get -o APT::Sandbox::User=root -qq download "${missing[@]}"
    ) || die "Debian's packages ${missing[*]} cannot be downloaded; try apt-get update first"
    for package in "${missing[@]}"; do
        dpkg-deb -x "$peers/deb/${package}"_*.deb "$peers"
    done
fi

rm -rf "$copy"
cp -a "$tree" "$copy"
cp "$peers"/usr/lib/postgresql/15/lib/*.so "$copy/usr/lib/postgresql/15/lib/"
# Control files stay ours where there are any: `create extension pgq version '3.5'` takes the old one.
cp -n "$peers"/usr/share/postgresql/15/extension/*.control "$share/extension/"
for script in pgq--3.5 pgq_node--3.5 londiste--3.8; do
    cp "$peers/usr/share/postgresql/15/extension/$script.sql" "$share/extension/"
done
echo "$copy/usr/lib/postgresql/15/bin"
