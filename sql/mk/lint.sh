#!/bin/bash
# SPDX-License-Identifier: ISC
# Compile the C code with every warning as an error, but for parameters that a callback does not need; check that
# each function file has its header.
# shellcheck source=env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/env.sh"

failed=0
for ext in $EXTENSIONS; do
    OBJ=$OBJ/lint pgxs "$ext" clean >/dev/null
    OBJ=$OBJ/lint pgxs "$ext" all COPT="-Wall -Wextra -Werror -Wno-unused-parameter" >/dev/null ||
        failed=1
    for file in "$SQL_DIR/$ext"/functions/*.sql "$SQL_DIR/$ext/pl/$ext".*.sql; do
        [ -f "$file" ] || continue
        for word in 'SPDX-License-Identifier: ISC' 'Parameters:' 'Returns:' 'Tables:' 'Locks:' 'Raises:'; do
            if ! grep -q -- "-- *$word" "$file"; then
                printf '%s: no line "%s" in the header\n' "$file" "$word" >&2
                failed=1
            fi
        done
    done
    # Each function in C has one that stands in for it, where there is an engine without C.
    if [ -d "$SQL_DIR/$ext/pl" ] && bash "$SQL_DIR/mk/assemble.sh" "$SQL_DIR/$ext" plain-pl | grep 'language c;'; then
        printf '%s: functions in C that pl/ has no other form of\n' "$ext" >&2
        failed=1
    fi
done
exit "$failed"
