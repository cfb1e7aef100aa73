#!/bin/bash
# SPDX-License-Identifier: ISC
# Install the extensions into the server of PG_CONFIG, or below the folder given (DESTDIR of a package build).
# shellcheck source=env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/env.sh"

for ext in $EXTENSIONS; do
    pgxs "$ext" all install DESTDIR="${1:-}"
done
