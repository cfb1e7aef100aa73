#!/bin/bash
# SPDX-License-Identifier: ISC
# Unpack Debian's pgbackrest into build/peers; prints the path of the program. Nothing is installed.
set -euo pipefail

cd -- "$(dirname -- "$0")/.."
peers=$PWD/build/peers
mkdir -p "$peers/deb"
exec 9>"$peers/.lock"
flock 9
if ! compgen -G "$peers/deb/pgbackrest_*.deb" >/dev/null; then
    (
        cd "$peers/deb"
        # As root apt would drop to a user who cannot write here.
        apt-get -o APT::Sandbox::User=root -qq download pgbackrest
    ) || { echo "pgbackrest: Debian's package cannot be downloaded; try apt-get update first" >&2; exit 1; }
    dpkg-deb -x "$peers/deb"/pgbackrest_*.deb "$peers"
fi
missing=$(ldd "$peers/usr/bin/pgbackrest" | grep 'not found' || true)
[ -z "$missing" ] || { echo "pgbackrest: libraries are missing: $missing" >&2; exit 1; }
echo "$peers/usr/bin/pgbackrest"
