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
    local ext script old
    cp -a "$TREE" "$tree"
    for ext in $EXTENSIONS; do
        [ ! -d "$SQL_DIR/$ext/test/old" ] || cp "$SQL_DIR/$ext/test/old"/*.sql "$tree$SHAREDIR/extension/"
        for script in "$SQL_DIR/$ext/test/old"/*.sed; do
            [ -f "$script" ] || continue
            old=$(basename "$script" .sed)
            sed -f "$script" "$SQL_DIR/$ext/test/old/$ext--3.5.sql" >"$tree$SHAREDIR/extension/$old.sql"
        done
        # The engine without C, as an extension: for what is equal to it.
        if [ -d "$SQL_DIR/$ext/pl" ]; then
            bash "$SQL_DIR/mk/assemble.sh" "$SQL_DIR/$ext" create-pl >"$tree$SHAREDIR/extension/$ext--pl.sql"
        fi
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
    PGOPTIONS='-c client_min_messages=warning' "$tree/bin/psql" -X -q -At -v ON_ERROR_STOP=1 -h "$work" -U postgres -d "$database" "$@"
}

catalog() { # DATABASE EXT ARGUMENTS...
    local database=$1 ext=$2
    shift 2
    sql "$database" -v schema="$ext" "$@" -f "$SQL_DIR/mk/catalog.sql"
}

required() { # EXT: what it needs, as statements
    [ "$1" = pgq ] || printf 'create extension pgq;'
    [ "$1" != londiste ] || printf 'create extension pgq_node;'
}

same() { # TITLE FRESH OTHER
    if diff -u --label fresh --label "$1" "$2" "$3"; then
        printf 'same catalog: %s\n' "$1"
    else
        printf 'not the same catalog: %s\n' "$1"
        failed=1
    fi
}

create_database() { # DATABASE EXT: an empty one, with what the extension needs
    sql postgres -c "drop database if exists $1" -c "create database $1"
    sql "$1" -c "$(required "$2")"
}

# Data of a site: what is there before, what shall be possible in between, what shall be true in the end.
stage() { # DATABASE EXT STAGE ARGUMENTS...
    local database=$1 file=$SQL_DIR/$2/test/upgrade/$3.sql
    shift 3
    [ ! -f "$file" ] || sql "$database" -o /dev/null "$@" -f "$file"
}

check_catalog() { # TITLE FRESH DATABASE EXT ARGUMENTS...
    local title=$1 fresh=$2 database=$3 ext=$4
    shift 4
    # Objects of queues are not compared; but none of them may be a member.
    catalog "$database" "$ext" "$@" | grep -vE '^(column|index|grant).*\bevent_[0-9]' >other.txt
    same "$ext, $title" "$fresh" other.txt
}

check_update() { # EXT OLD_VERSION
    create_database old "$1"
    sql old -c "create extension $1 version '$2'"
    stage old "$1" before
    sql old -c "alter extension $1 update"
    check_catalog "updated from $2" fresh.txt old "$1" -v extension=1
    stage old "$1" during
    stage old "$1" after -v STEPS=1
}

# The script of an old extension, as the contrib script it once was.
load_old_script() { # DATABASE EXT VERSION
    if [ -f "${OLD_PACKAGES:-}$SHAREDIR/contrib/$2.sql" ]; then
        sql "$1" -o /dev/null -f "$OLD_PACKAGES$SHAREDIR/contrib/$2.sql"
    else
        sed '/pg_extension_config_dump/d; /^.echo/d' "$tree$SHAREDIR/extension/$2--$3.sql" | sql "$1" -o /dev/null
    fi
}

# A database that a script of version 3 has loaded goes from one kind of installation to the next, with its data.
check_cycle() { # EXT OLD_VERSION
    local ext=$1 scripts=$tree$SHAREDIR/skytools steps=0 step
    create_database cycle "$ext"
    load_old_script cycle "$ext" "$2"
    stage cycle "$ext" before
    if sql cycle -c "create extension $ext" 2>refused.txt || ! grep -q 'is there already' refused.txt; then
        printf 'not refused: create extension %s where a script has loaded it\n' "$ext"
        failed=1
    fi
    for step in plain pl plain adopt unpackage pl adopt update; do
        case $step in
            plain) sql cycle -o /dev/null -f "$scripts/$ext.sql" ;;
            pl)
                [ -d "$SQL_DIR/$ext/pl" ] || continue
                sql cycle -o /dev/null -f "$scripts/${ext}_pl.sql"
                ;;
            adopt) sql cycle -c "create extension $ext version 'unpackaged'" -c "alter extension $ext update" ;;
            unpackage) sql cycle -f "$scripts/${ext}_unpackage.sql" ;;
            update) sql cycle -c "alter extension $ext update" 2>/dev/null ;;
        esac
        case $step in
            plain | unpackage) check_catalog "old script, then $step" fresh_plain.txt cycle "$ext" ;;
            pl) check_catalog "old script, then $step" fresh_pl.txt cycle "$ext" ;;
            *) check_catalog "old script, then $step" fresh.txt cycle "$ext" -v extension=1 ;;
        esac
        stage cycle "$ext" during
        steps=$((steps + 1))
    done
    stage cycle "$ext" after -v STEPS="$steps"
}

# The catalogs that all others are compared with.
make_fresh() { # EXT
    create_database fresh "$1"
    sql fresh -c "create extension $1"
    catalog fresh "$1" -v extension=1 >fresh.txt
    catalog fresh "$1" >fresh_plain.txt
    if [ -d "$SQL_DIR/$1/pl" ]; then
        create_database fresh "$1"
        sql fresh -c "create extension $1 version 'pl'"
        catalog fresh "$1" >fresh_pl.txt
    fi
}

check_plain() { # EXT: the scripts in an empty database
    create_database plain "$1"
    sql plain -o /dev/null -f "$tree$SHAREDIR/skytools/$1.sql"
    check_catalog 'plain script' fresh_plain.txt plain "$1"
    if [ -d "$SQL_DIR/$1/pl" ]; then
        create_database plain "$1"
        sql plain -o /dev/null -f "$tree$SHAREDIR/skytools/$1_pl.sql"
        check_catalog 'plain script of the engine without C' fresh_pl.txt plain "$1"
    fi
}

# An owner of a database who may do nothing else has the engine without C, as the roles of pgq are not there yet.
check_owner() {
    local roles
    sql postgres -c 'create role site login' -c 'create database site owner site'
    "$tree/bin/psql" -X -q -v ON_ERROR_STOP=1 -h "$work" -U site -d site -o /dev/null \
        -f "$tree$SHAREDIR/skytools/pgq_pl.sql" -f "$SQL_DIR/pgq/test/upgrade/owner.sql" 2>owner.txt ||
        { cat owner.txt; failed=1; }
    roles=$(sql postgres -c "select count(*) from pg_roles where rolname like 'pgq\_%'")
    [ "$roles" = 0 ] || { echo 'roles were made'; failed=1; }
    sql postgres -c 'drop database site' -c 'drop role site'
}

failed=0
make_tree
start_server
case " $EXTENSIONS " in
    *' pgq '*) check_owner ;;
esac
for ext in $EXTENSIONS; do
    make_fresh "$ext"
    check_plain "$ext"
    newest=
    for script in "$tree$SHAREDIR/extension/$ext"--*.sql; do
        version=$(basename "$script" .sql)
        version=${version#"$ext"--}
        # Only versions from which there is an update, 4.0 and the update scripts themselves left out.
        if [ "$version" != unpackaged ] && [ -e "$tree$SHAREDIR/extension/$ext--$version--4.0.sql" ]; then
            check_update "$ext" "$version"
            newest=$version
        fi
    done
    [ -z "$newest" ] || check_cycle "$ext" "$newest"
done
[ "$failed" = 0 ] || die "updated extensions differ from fresh ones"
printf 'sql: updates and plain scripts give the same catalog on PostgreSQL %s\n' "$MAJOR"
