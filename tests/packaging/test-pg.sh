#!/bin/bash
# SPDX-License-Identifier: ISC
# Run the tests of the SQL, and those of tests/pg, on another major of PostgreSQL, in a chroot of the Debian that has it.
#
#   test-pg.sh MAJOR [PYTEST ARGUMENTS]
#
# The committed tree is tested; SKYTOOLS_TREE names another than HEAD. TESTS as in sql/Makefile. In the root of
# PostgreSQL 17 there is 15 too, as tests/pg/test_pgq_upgrade.py needs an old server.
# shellcheck source=common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

major=${1:-}
case $major in
    15) suite=bookworm ;;
    17) suite=trixie ;;
    18) suite=sid ;;
    *) die "PG=$major is not in a Debian suite; say PG=15, PG=17 or PG=18" ;;
esac
shift
require_suite "$suite"

root=$CHROOTS/pg-$suite
make_pg_root() {
    [ ! -f "$root/etc/skytools-pg" ] || return 0
    say "$suite: installing PostgreSQL $major and what the tests need"
    rm -rf "$root.new"
    copy_root "$CHROOTS/base-$suite" "$root.new"
    # Not at an end that has moved on since the base was made.
    apt_in "$root.new" update
    apt_in "$root.new" install build-essential "postgresql-$major" "postgresql-server-dev-$major" python3 python3-pip \
        python3-setuptools python3-wheel python3-psycopg2 python3-prometheus-client python3-sdnotify supervisor \
        python3-pytest python3-pytest-timeout python3-pytest-xdist python3-hypothesis \
        lz4 zstd rsync age gpg gpg-agent
    if [ "$major" = 17 ]; then
        printf 'deb %s bookworm main\n' "$MIRROR" >"$root.new/etc/apt/sources.list.d/bookworm.list"
        apt_in "$root.new" update
        apt_in "$root.new" install postgresql-15
    fi
    touch "$root.new/etc/skytools-pg"
    rm -rf "$root"
    mv "$root.new" "$root"
}

make_base "$suite"
make_pg_root

work=$root/srv/test.$$
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
mkdir "$work"
git -C "$TOP" archive "${SKYTOOLS_TREE:-HEAD}" | tar -C "$work" -xf -
# The old server of an upgrade is that of the root, with the engine without C, as it has no headers.
if [ "$major" = 17 ]; then
    mkdir -p "$work/pg15/usr/lib/postgresql" "$work/pg15/usr/share/postgresql"
    cp -rL "$root/usr/lib/postgresql/15" "$work/pg15/usr/lib/postgresql/"
    cp -rL "$root/usr/share/postgresql/15" "$work/pg15/usr/share/postgresql/"
    extensions=$work/pg15/usr/share/postgresql/15/extension
    cp "$work/sql/pgq/pgq.control" "$extensions/"
    bash "$work/sql/mk/assemble.sh" "$work/sql/pgq" create-pl >"$extensions/pgq--4.0.sql"
fi

# shellcheck disable=SC2016
in_root "$root" bash -euc '
    cd "$1"
    major=$2 TESTS=$3
    shift 3
    config=/usr/lib/postgresql/$major/bin/pg_config
    make -C sql lint PG_CONFIG=$config
    make -C sql installcheck PG_CONFIG=$config TESTS="$TESTS"
    pip install -q --no-build-isolation --no-deps --break-system-packages --root-user-action=ignore -e .
    export PATH=/usr/local/bin:$PATH
    [ ! -d pg15 ] || export SKYTOOLS_OLD_PG_BINDIR=$PWD/pg15/usr/lib/postgresql/15/bin
    SKYTOOLS_PG_MAJOR=$major python3 -m pytest -p no:cacheprovider -n 2 --dist loadfile tests/pg "$@"
' bash "/srv/test.$$" "$major" "${TESTS:-}" "$@"
