#!/bin/bash
# SPDX-License-Identifier: ISC
# Print the script of an extension: structure, functions, grants of the folder given, for CREATE EXTENSION.
set -euo pipefail

folder=$1
ext=$(basename -- "$(cd -- "$folder" && pwd)")
printf '%s\n' "\\echo Use \"create extension $ext\" to load this file. \\quit"
# Functions are listed by name, so one may call another that comes later.
printf '%s\n' 'set local check_function_bodies = off;'
cat "$folder"/structure/*.sql "$folder"/functions/*.sql "$folder"/grants.sql
