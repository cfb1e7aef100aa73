# SPDX-License-Identifier: ISC
# Sourced by the scripts of this folder: where things are built, and for which server.
# shellcheck shell=bash disable=SC2034
#
# Sets SQL_DIR TOP_DIR PG_CONFIG EXTENSIONS MAJOR BINDIR PKGLIBDIR SHAREDIR SERVER_USER BUILD_ROOT VARIANT TREE OBJ.
set -euo pipefail
umask 022

SQL_DIR=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
TOP_DIR=$(dirname -- "$SQL_DIR")
PG_CONFIG=${PG_CONFIG:-pg_config}
EXTENSIONS=${EXTENSIONS:-pgq pgq_ext pgq_node pgq_coop pgq_merge londiste}

die() { printf 'sql: %s\n' "$*" >&2; exit 1; }

command -v "$PG_CONFIG" >/dev/null ||
    die "$PG_CONFIG not found: install a PostgreSQL server with its headers, or set PG_CONFIG="
MAJOR=$("$PG_CONFIG" --version | sed -E 's/^PostgreSQL ([0-9]+).*/\1/')
case $MAJOR in
    1[4-8]) ;;
    *) die "PostgreSQL $MAJOR ($PG_CONFIG) is not supported: 14 to 18 are" ;;
esac
BINDIR=$("$PG_CONFIG" --bindir)
PKGLIBDIR=$("$PG_CONFIG" --pkglibdir)
SHAREDIR=$("$PG_CONFIG" --sharedir)
[ -f "$("$PG_CONFIG" --pgxs)" ] ||
    die "the headers of PostgreSQL $MAJOR are missing: install postgresql-server-dev-$MAJOR"

# PostgreSQL refuses to run as root: then servers run as the first of these users.
SERVER_USER=
if [ "$(id -u)" = 0 ]; then
    for SERVER_USER in postgres nobody; do
        ! id "$SERVER_USER" >/dev/null 2>&1 || break
    done
fi

# Runs a command as the server's user, with nothing of the caller's terminal or rights.
as_server_user() {
    if [ -n "$SERVER_USER" ]; then
        setpriv --reuid "$SERVER_USER" --regid "$(id -g "$SERVER_USER")" --init-groups \
            env HOME=/ LOGNAME="$SERVER_USER" USER="$SERVER_USER" "$@"
    else
        "$@"
    fi
}

# Anyone may make a folder in /var/tmp: one that another user has made is not ours to trust.
moved_root() {
    local root
    root=/var/tmp/skytools-$(printf %s "$TOP_DIR/build" | sha256sum | cut -c1-12)
    mkdir -p "$root"
    if [ -L "$root" ] || [ ! -O "$root" ]; then
        die "$root belongs to somebody else: remove it, or move the checkout"
    fi
    printf '%s\n' "$root"
}

mkdir -p "$TOP_DIR/build"
BUILD_ROOT=$TOP_DIR/build
as_server_user test -x "$BUILD_ROOT" || BUILD_ROOT=$(moved_root)
# VARIANT=-name: built in another way, beside the usual build.
VARIANT=${VARIANT:-}
TREE=$BUILD_ROOT/pg$MAJOR$VARIANT
OBJ=$BUILD_ROOT/obj/pg$MAJOR$VARIANT

# Builds the extension $1 with PGXS, outside its source; further arguments go to make. LLVM bitcode is left out: it
# needs a clang of the server's own version, and nothing of ours is worth inlining.
pgxs() {
    local ext=$1
    shift
    mkdir -p "$OBJ/$ext/src"
    make -s --no-print-directory -C "$OBJ/$ext" -f "$SQL_DIR/$ext/Makefile" PG_CONFIG="$PG_CONFIG" with_llvm=no "$@"
}
