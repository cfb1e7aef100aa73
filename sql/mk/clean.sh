#!/bin/bash
# SPDX-License-Identifier: ISC
# Remove what was built for this major: objects, tree, results of tests.
# shellcheck source=env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/env.sh"

rm -rf "$OBJ" "$TREE" "$TOP_DIR/build/pg$MAJOR$VARIANT.path"
