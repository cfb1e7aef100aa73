#!/bin/bash
# SPDX-License-Identifier: ISC
# Run the tests of the SQL, of tests/pg and of walmgr on another major of PostgreSQL, in a chroot of the Debian or Ubuntu
# that has it.
#
#   test-pg.sh MAJOR [PYTEST ARGUMENTS]
#
# The committed tree is tested; SKYTOOLS_TREE names another than HEAD. TESTS as in sql/Makefile; T names other files for
# pytest, and then the SQL is not tested unless TESTS is given. In the root of PostgreSQL 17 there is 15 too, as
# tests/pg/test_pgq_upgrade.py needs an old server; Ubuntu's 24.04 has 16, and 14 as its forerunner built it.
# shellcheck source=common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

major=${1:-}
case $major in
    14 | 16) suite=noble ;;
    15) suite=bookworm ;;
    17) suite=trixie ;;
    18) suite=sid ;;
    *) die "PG=$major is not supported; say PG=14, 15, 16, 17 or 18" ;;
esac
shift
if [ "$suite" = noble ]; then
    MIRROR=${SKYTOOLS_UBUNTU_MIRROR:-http://archive.ubuntu.com/ubuntu} COMPONENTS="main universe" SCRIPT=gutsy
fi
require_chroots "$suite"

root=$CHROOTS/pg-$major
packages=(build-essential "postgresql-$major" "postgresql-server-dev-$major" python3 python3-pip
    python3-setuptools python3-wheel python3-psycopg2 python3-prometheus-client python3-sdnotify supervisor
    python3-pytest python3-pytest-timeout python3-pytest-xdist python3-hypothesis
    lz4 zstd rsync age gpg gpg-agent openssh-client openssh-server iproute2 procps locales)
# More suites of the same archive: for a server that this one has not, for the newest minor version.
more=()
case $major in
    14) more=(noble-updates jammy jammy-updates) ;;
    16) more=(noble-updates) ;;
    17) more=(bookworm) packages+=(postgresql-15) ;;
esac

make_pg_root() {
    local other
    [ "$(cat "$root/etc/skytools-pg" 2>/dev/null)" != "${packages[*]}" ] || return 0
    say "$suite: installing PostgreSQL $major and what the tests need"
    rm -rf "$root.new"
    copy_root "$CHROOTS/base-$suite" "$root.new"
    for other in "${more[@]}"; do
        printf 'deb %s %s %s\n' "$MIRROR" "$other" "$COMPONENTS"
    done >"$root.new/etc/apt/sources.list.d/more.list"
    # Not at an end that has moved on since the base was made.
    apt_in "$root.new" update
    apt_in "$root.new" install "${packages[@]}"
    printf '%s\n' "${packages[*]}" >"$root.new/etc/skytools-pg"
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
    major=$2 TESTS=$3 files=${4:-tests/pg tests/unit/walmgr tests/e2e/test_walmgr_*.py}
    config=/usr/lib/postgresql/$major/bin/pg_config
    if [ -n "$TESTS" ] || [ -z "$4" ]; then
        make -C sql lint PG_CONFIG=$config
        make -C sql installcheck PG_CONFIG=$config TESTS="$TESTS"
    fi
    shift 4
    make -C sql tree PG_CONFIG=$config
    python3 -m venv --without-pip --system-site-packages .venv
    export PATH=$PWD/.venv/bin:$PATH
    python3 -m pip install -q --no-build-isolation --no-deps --root-user-action=ignore -e .
    [ ! -d pg15 ] || export SKYTOOLS_OLD_PG_BINDIR=$PWD/pg15/usr/lib/postgresql/15/bin
    SKYTOOLS_PG_MAJOR=$major python3 -m pytest -p no:cacheprovider -n 2 --dist loadfile $files "$@"
' bash "/srv/test.$$" "$major" "${TESTS:-}" "${T:-}" "$@"
