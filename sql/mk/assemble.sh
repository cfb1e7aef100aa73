#!/bin/bash
# SPDX-License-Identifier: ISC
# Print a script of the extension in the folder given:
#   assemble.sh FOLDER                  for CREATE EXTENSION: structure, functions, grants
#   assemble.sh FOLDER updates/X.sql    for ALTER EXTENSION ... UPDATE: that file, functions, grants
#   assemble.sh FOLDER plain            for psql, where no extension can be made: as the first, without marks for pg_dump
set -euo pipefail

folder=$1
mode=${2:-create}
ext=$(basename -- "$(cd -- "$folder" && pwd)")
# Functions are listed by name, so one may call another that comes later.
lazy='set local check_function_bodies = off;'

case $mode in
    create)
        printf '%s\n' "\\echo Use \"create extension $ext\" to load this file. \\quit" "$lazy"
        cat "$folder"/structure/*.sql "$folder"/functions/*.sql "$folder"/grants.sql
        ;;
    plain)
        printf '%s\n' '\set ON_ERROR_STOP 1' 'begin;' "$lazy"
        cat "$folder"/structure/*.sql "$folder"/functions/*.sql "$folder"/grants.sql |
            sed '/pg_extension_config_dump/d'
        printf 'commit;\n'
        ;;
    updates/*.sql)
        printf '%s\n' "\\echo Use \"alter extension $ext update\" to load this file. \\quit" "$lazy"
        cat "$folder/$mode" "$folder"/functions/*.sql "$folder"/grants.sql
        ;;
    *)
        printf 'assemble.sh: %s: no such mode\n' "$mode" >&2
        exit 2
        ;;
esac
