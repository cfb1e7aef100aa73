#!/bin/bash
# SPDX-License-Identifier: ISC
# Check that an extension that was updated from an old version, and one that was loaded as a plain script, have the
# same catalog as a fresh one. Old versions are the stand-ins in test/old/ of each extension; or, if OLD_PACKAGES names
# a folder into which packages of PgQ 3 are unpacked (dpkg-deb -x), the real ones.
# shellcheck source=env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/env.sh"

work=$(mktemp -d /var/tmp/skytools-sqlupdate.XXXXXX)
tree=$work/tree

cleanup() {
    as_server_user "$tree/bin/pg_ctl" -D "$work/data" -m immediate -s stop >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

# Old versions are not to be seen in the tree that others use.
make_tree() {
    local ext
    cp -a "$TREE" "$tree"
    for ext in $EXTENSIONS; do
        [ ! -d "$SQL_DIR/$ext/test/old" ] || cp "$SQL_DIR/$ext/test/old"/*.sql "$tree$SHAREDIR/extension/"
    done
    if [ -n "${OLD_PACKAGES:-}" ]; then
        find "$OLD_PACKAGES$SHAREDIR/extension" -name '*--*.sql' ! -name '*--*--*' \
            -exec cp -t "$tree$SHAREDIR/extension" {} +
        cp "$OLD_PACKAGES$PKGLIBDIR"/*.so "$tree$PKGLIBDIR/"
    fi
}

start_server() {
    [ -z "$SERVER_USER" ] || chown "$SERVER_USER" "$work"
    chmod 755 "$work"
    cd "$work" || exit
    as_server_user "$tree/bin/initdb" -D "$work/data" -U postgres -A trust -E UTF8 --locale=C --no-sync \
        >"$work/initdb.log" || die "initdb failed: $(tail -n 1 "$work/initdb.log")"
    as_server_user "$tree/bin/pg_ctl" -D "$work/data" -l "$work/server.log" -s -w start \
        -o "-c listen_addresses= -c unix_socket_directories=$work -c fsync=off" ||
        die "the server does not start: $(tail -n 3 "$work/server.log")"
}

sql() { # DATABASE ARGUMENTS...
    local database=$1
    shift
    "$tree/bin/psql" -X -q -At -v ON_ERROR_STOP=1 -h "$work" -U postgres -d "$database" "$@"
}

catalog() { # DATABASE EXT ARGUMENTS...
    local database=$1 ext=$2
    shift 2
    sql "$database" -v schema="$ext" "$@" -f "$SQL_DIR/mk/catalog.sql"
}

required() { # EXT: what it needs, as statements
    [ "$1" = pgq ] || printf 'create extension pgq;'
}

same() { # TITLE FRESH OTHER
    if diff -u --label fresh --label "$1" "$2" "$3"; then
        printf 'same catalog: %s\n' "$1"
    else
        printf 'not the same catalog: %s\n' "$1"
        failed=1
    fi
}

check_plain() { # EXT
    sql postgres -c 'create database plain'
    sql plain -c "set client_min_messages = warning; $(required "$1")"
    sql plain -o /dev/null -f "$tree$SHAREDIR/skytools/$1.sql"
    catalog plain "$1" >plain.txt
    catalog fresh "$1" >fresh.txt
    same "$1, plain script" fresh.txt plain.txt
    sql postgres -c 'drop database plain'
}

check_update() { # EXT OLD_VERSION
    sql postgres -c 'create database old'
    sql old -c "$(required "$1") create extension $1 version '$2'"
    sql old -c "alter extension $1 update"
    catalog old "$1" -v extension=1 >old.txt
    catalog fresh "$1" -v extension=1 >fresh.txt
    same "$1, updated from $2" fresh.txt old.txt
    sql postgres -c 'drop database old'
}

failed=0
make_tree
start_server
for ext in $EXTENSIONS; do
    sql postgres -c 'create database fresh'
    sql fresh -c "$(required "$ext") create extension $ext"
    check_plain "$ext"
    for script in "$tree$SHAREDIR/extension/$ext"--*.sql; do
        version=$(basename "$script" .sql)
        version=${version#"$ext"--}
        # Only versions from which there is an update, 4.0 and the update scripts themselves left out.
        [ ! -e "$tree$SHAREDIR/extension/$ext--$version--4.0.sql" ] || check_update "$ext" "$version"
    done
    sql postgres -c 'drop database fresh'
done
[ "$failed" = 0 ] || die "updated extensions differ from fresh ones"
printf 'sql: updates and plain scripts give the same catalog on PostgreSQL %s\n' "$MAJOR"
