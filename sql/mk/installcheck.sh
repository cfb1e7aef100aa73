#!/bin/bash
# SPDX-License-Identifier: ISC
# Run the regression and isolation tests of every extension on a private server: unix socket only, thrown away at
# the end. Those of an extension that has an engine without C (folder pl) are run once more with that; what it gives
# otherwise is in test/pl/expected, and why in pl/README.md.
# Fails if any test fails; the differences are printed, results stay in build/obj/pg<major>/test, or RESULTS.
# shellcheck source=env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/env.sh"

pg_tests=$PKGLIBDIR/pgxs/src/test
work=$(mktemp -d /var/tmp/skytools-sqltest.XXXXXX)
results=${RESULTS:-$OBJ/test}
TESTS=${TESTS:-}

stop_server() {
    as_server_user "$TREE/bin/pg_ctl" -D "$work/data" -m immediate -s stop >/dev/null 2>&1 || true
}

cleanup() {
    stop_server
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

start_server() {
    [ -z "$SERVER_USER" ] || chown "$SERVER_USER" "$work"
    chmod 755 "$work"
    cd "$work" || exit
    as_server_user "$TREE/bin/initdb" -D "$work/data" -U postgres -A trust -E UTF8 --locale=C --no-sync \
        >"$work/initdb.log" || die "initdb failed: $(tail -n 1 "$work/initdb.log")"
    as_server_user tee -a "$work/data/postgresql.conf" >/dev/null <<CONF
listen_addresses = ''
unix_socket_directories = '$work'
fsync = off
synchronous_commit = off
full_page_writes = off
max_prepared_transactions = 10
autovacuum = on
autovacuum_naptime = 1h
CONF
    as_server_user "$TREE/bin/pg_ctl" -D "$work/data" -l "$work/server.log" -s -w start ||
        die "the server does not start: $(tail -n 3 "$work/server.log")"
}

# Names of the tests in folder $1 with suffix $2, or those of them that TESTS asks for.
names() {
    local file name
    for file in "$1"/*."$2"; do
        [ -e "$file" ] || continue
        name=$(basename "$file" ".$2")
        if [ -z "$TESTS" ] || [[ " $TESTS " == *" $name "* ]]; then
            printf '%s\n' "$name"
        fi
    done
}

run_suite() { # PROGRAM EXT DATABASE NAMES...: returns 1 if one fails
    local program=$1 ext=$2 database=$3
    shift 3
    [ "$#" -gt 0 ] || return 0
    # pg_regress tells it itself since PostgreSQL 15.
    export PG_ABS_SRCDIR=$work/$ext
    as_server_user "$program" --bindir="$TREE/bin" --host="$work" --user=postgres --dbname="$database" \
        --inputdir="$work/$ext" --outputdir="$work/$ext" "$@" >"$work/$ext/$database.log" 2>&1 && status=0 || status=1
    grep -E '^(test|ok|not ok|#|All|=| [0-9]+ of)' "$work/$ext/$database.log" | grep -v '^=====' || true
    if [ "$status" != 0 ]; then
        if [ -s "$work/$ext/regression.diffs" ]; then
            cat "$work/$ext/regression.diffs"
        else
            cat "$work/$ext/$database.log"
        fi
    fi
    return "$status"
}

run_tests() { # EXT ENGINE
    local ext=$1 engine=$2 tests specs
    rm -rf "${work:?}/$ext"
    cp -R "$SQL_DIR/$ext/test" "$work/$ext"
    if [ "$engine" != c ] && [ -d "$SQL_DIR/$ext/test/$engine" ]; then
        cp -R "$SQL_DIR/$ext/test/$engine/." "$work/$ext/"
        sed '/^#/d' "$work/$ext/skip" | while read -r name; do
            rm "$work/$ext"/s*/"$name".s*
        done
    fi
    [ -z "$SERVER_USER" ] || chown -R "$SERVER_USER" "$work/$ext"
    mapfile -t tests < <(names "$work/$ext/sql" sql)
    mapfile -t specs < <(names "$work/$ext/specs" spec)
    found=$((found + ${#tests[@]} + ${#specs[@]}))
    run_suite "$pg_tests/regress/pg_regress" "$ext" "${ext}_regress" "${tests[@]}" || failed=1
    run_suite "$pg_tests/isolation/pg_isolation_regress" "$ext" "${ext}_isolation" "${specs[@]}" || failed=1
    rm -rf "${results:?}/$ext-$engine"
    mkdir -p "$results"
    cp -R "$work/$ext" "$results/$ext-$engine"
}

# A copy of the tree in which the extension is the engine without C, and there is no library.
use_pl_tree() { # EXT
    cp -a "$TREE" "$work/tree"
    TREE=$work/tree
    bash "$SQL_DIR/mk/assemble.sh" "$SQL_DIR/$1" create-pl >"$TREE$SHAREDIR/extension/$1--4.0.sql"
    rm "$TREE$PKGLIBDIR/$1.so"
}

failed=0
found=0
start_server
for ext in $EXTENSIONS; do
    run_tests "$ext" c
done
for ext in $EXTENSIONS; do
    [ -d "$SQL_DIR/$ext/pl" ] || continue
    printf '# engine of %s without C\n' "$ext"
    stop_server
    rm -rf "$work/data"
    use_pl_tree "$ext"
    start_server
    run_tests "$ext" pl
    # What writes to queues by triggers has to work with this engine too.
    [[ "$ext $EXTENSIONS " != *"pgq "*" londiste "* ]] || run_tests londiste pl
done
[ "$found" -gt 0 ] || die "no such test: $TESTS"
[ "$failed" = 0 ] || die "tests failed; results are in $results"
printf 'sql: all tests passed on PostgreSQL %s\n' "$MAJOR"
