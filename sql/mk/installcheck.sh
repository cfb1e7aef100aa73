#!/bin/bash
# SPDX-License-Identifier: ISC
# Run the regression and isolation tests of every extension on a private server: unix socket only, thrown away at
# the end. Fails if any test fails; the differences are printed, results stay in build/obj/pg<major>/test, or RESULTS.
# shellcheck source=env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/env.sh"

pg_tests=$PKGLIBDIR/pgxs/src/test
work=$(mktemp -d /var/tmp/skytools-sqltest.XXXXXX)
results=${RESULTS:-$OBJ/test}
TESTS=${TESTS:-}

cleanup() {
    as_server_user "$TREE/bin/pg_ctl" -D "$work/data" -m immediate -s stop >/dev/null 2>&1 || true
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

start_server
failed=0
found=0
for ext in $EXTENSIONS; do
    cp -R "$SQL_DIR/$ext/test" "$work/$ext"
    [ -z "$SERVER_USER" ] || chown -R "$SERVER_USER" "$work/$ext"
    mapfile -t tests < <(names "$work/$ext/sql" sql)
    mapfile -t specs < <(names "$work/$ext/specs" spec)
    found=$((found + ${#tests[@]} + ${#specs[@]}))
    run_suite "$pg_tests/regress/pg_regress" "$ext" "${ext}_regress" "${tests[@]}" || failed=1
    run_suite "$pg_tests/isolation/pg_isolation_regress" "$ext" "${ext}_isolation" "${specs[@]}" || failed=1
    rm -rf "${results:?}/$ext"
    mkdir -p "$results"
    cp -R "$work/$ext" "$results/$ext"
done
[ "$found" -gt 0 ] || die "no such test: $TESTS"
[ "$failed" = 0 ] || die "tests failed; results are in $results"
printf 'sql: all tests passed on PostgreSQL %s\n' "$MAJOR"
