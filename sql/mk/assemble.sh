#!/bin/bash
# SPDX-License-Identifier: ISC
# Print a script of the extension in the folder given:
#   assemble.sh FOLDER                  for CREATE EXTENSION
#   assemble.sh FOLDER updates/X.sql    for ALTER EXTENSION ... UPDATE
#   assemble.sh FOLDER adopt            the same, for objects that a script has loaded: they become the extension
#   assemble.sh FOLDER plain            for psql, where no extension can be made: installs, or brings up to date
#   assemble.sh FOLDER plain-pl         the same, with the functions of pl/ in place of those that need C
#   assemble.sh FOLDER create-pl        for tests: CREATE EXTENSION with the functions of pl/
#
# A script has structure/*.sql, which can be repeated; steps from older versions: updates/*.sql; functions/*.sql;
# grants.sql; what is to be done when all this is there: updates/after.sql. A new extension needs no steps.
set -euo pipefail

folder=$1
mode=${2:-create}
ext=$(basename -- "$(cd -- "$folder" && pwd)")
# Functions are listed by name, so one may call another that comes later.
lazy='set local check_function_bodies = off;'

functions() {
    local file
    for file in "$folder"/functions/*.sql; do
        case $mode in
            *-pl) [ ! -f "$folder/pl/${file##*/}" ] || continue ;;
        esac
        cat "$file"
    done
    case $mode in
        *-pl) cat "$folder/pl/$ext".*.sql ;;
    esac
}

# Functions that an extension has outside of its schema, as a list of SQL.
public_functions() {
    local file list="''"
    for file in "$folder"/functions/public.*.sql; do
        [ ! -f "$file" ] || list+=", '$(basename "${file##*/public.}" .sql)'"
    done
    printf '%s' "$list"
}

template() {
    sed "s/@EXTENSION@/$ext/g; s/@PUBLIC@/$(public_functions)/g" "$(dirname -- "$0")/$1"
}

helper_grants() {
    case $mode in
        *-pl) cat "$folder/pl/grants.sql" ;;
    esac
}

after() {
    helper_grants
    [ ! -f "$folder/updates/after.sql" ] || cat "$folder/updates/after.sql"
}

# Steps from all older versions: they can be repeated, and do nothing where there is nothing to do.
steps() {
    local file
    for file in "$folder"/updates/*--*.sql; do
        [ ! -f "$file" ] || cat "$file"
    done
}

# Who may not make the roles does without: then only what is for public is granted.
# shellcheck disable=SC2016
grants_without_roles() {
    local roles
    roles=$({ grep -oE '\b(pgq|londiste)_(reader|writer|admin)\b' "$folder/grants.sql" || true; } | sort -u | paste -sd,)
    printf '%s\n' 'do $grants$' 'begin' \
        "if not exists (select 1 from pg_catalog.unnest('{$roles}'::text[]) as role" \
        '               where role not in (select rolname::text from pg_catalog.pg_roles)) then'
    cat "$folder/grants.sql"
    printf 'else\n'
    sed '/^ *--/d' "$folder/grants.sql" | awk 'BEGIN { RS = ";" }
        /(to|from) public/ { gsub(/, (pgq|londiste)_(reader|writer|admin)/, ""); print $0 ";" }'
    printf '%s\n' 'null;' 'end if;' 'end;' '$grants$;'
}

plain() {
    printf '%s\n' '\set ON_ERROR_STOP 1' 'begin;' "$lazy" 'set local client_min_messages = warning;'
    template plain_guard.sql
    cat "$folder"/structure/*.sql | sed '/pg_extension_config_dump/d'
    steps
    functions
    grants_without_roles
    after
    printf 'commit;\n'
}

case $mode in
    create | create-pl)
        printf '%s\n' "\\echo Use \"create extension $ext\" to load this file. \\quit" "$lazy"
        template create_guard.sql
        cat "$folder"/structure/*.sql
        functions
        cat "$folder/grants.sql"
        helper_grants
        ;;
    plain | plain-pl)
        plain
        ;;
    adopt | updates/*.sql)
        printf '%s\n' "\\echo Use \"alter extension $ext update\" to load this file. \\quit" "$lazy"
        if [ "$mode" = adopt ]; then
            template adopt.sql
        fi
        cat "$folder"/structure/*.sql
        if [ "$mode" = adopt ]; then steps; else cat "$folder/$mode"; fi
        functions
        cat "$folder/grants.sql"
        after
        ;;
    *)
        printf 'assemble.sh: %s: no such mode\n' "$mode" >&2
        exit 2
        ;;
esac
