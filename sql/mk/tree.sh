#!/bin/bash
# SPDX-License-Identifier: ISC
# Make the private PostgreSQL tree: the server's files with our extensions added, and nothing changed in the system.
#
# PostgreSQL finds lib and share relative to the real path of its program. So the tree repeats the server's folders:
# programs are copied, the rest are links to the server's files, beside which our own are installed.
# Prints the tree's path as the last line. Does next to nothing when nothing has changed.
# shellcheck source=env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/env.sh"

mkdir -p "$OBJ"
exec 9>"$OBJ/.lock"
flock 9

link_all() { # FROM TO: a link in TO for each entry of FROM
    mkdir -p "$2"
    find "$1" -mindepth 1 -maxdepth 1 -exec ln -sfn -t "$2" -- {} +
}

make_overlay() {
    rm -rf "$TREE"
    mkdir -p "$TREE$BINDIR"
    find "$BINDIR" -mindepth 1 -maxdepth 1 -exec cp -L --reflink=auto -t "$TREE$BINDIR" -- {} +
    link_all "$PKGLIBDIR" "$TREE$PKGLIBDIR"
    link_all "$SHAREDIR" "$TREE$SHAREDIR"
    # What we install into must be ours: a link would lead into the system.
    rm -f "$TREE$SHAREDIR/extension" "$TREE$SHAREDIR/skytools" "$TREE$PKGLIBDIR/bitcode"
    link_all "$SHAREDIR/extension" "$TREE$SHAREDIR/extension"
    if [ -d "$PKGLIBDIR/bitcode" ]; then link_all "$PKGLIBDIR/bitcode" "$TREE$PKGLIBDIR/bitcode"; fi
    ln -sfn "${BINDIR#/}" "$TREE/bin"
    printf '%s\n' "$overlay_of" >"$TREE/.overlay"
}

# An upgraded server changes its programs' times; packages may add extensions at any time.
overlay_of=$(
    "$PG_CONFIG" --version
    stat -c '%n %Y %s' "$BINDIR/postgres" "$SHAREDIR/extension" "$PKGLIBDIR"
)
if [ "$(cat "$TREE/.overlay" 2>/dev/null)" != "$overlay_of" ]; then
    make_overlay
fi

for ext in $EXTENSIONS; do
    stamp=$TREE/.installed-$ext
    if [ -f "$stamp" ] && [ -z "$(find "$SQL_DIR/$ext" "$SQL_DIR/mk" -path '*/test/*' -prune -o \
        -newer "$stamp" -print -quit)" ]; then
        continue
    fi
    # The time of the start: a file that is saved while we build is newer, and is built the next time.
    touch "$stamp.new"
    pgxs "$ext" all install DESTDIR="$TREE" >"$OBJ/$ext.log" 2>&1 || {
        cat "$OBJ/$ext.log" >&2
        die "building $ext for PostgreSQL $MAJOR failed"
    }
    mv "$stamp.new" "$stamp"
done

printf '%s\n' "$TREE" >"$TOP_DIR/build/pg$MAJOR$VARIANT.path"
printf '%s\n' "$TREE"
