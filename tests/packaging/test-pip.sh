#!/bin/bash
# SPDX-License-Identifier: ISC
# What is committed, as a user of pip gets it: sdist and wheel hold every file, and each, installed into a plain
# virtual environment, has all commands and runs the demo. Needs the Python package index, and `make sql` before.
set -euo pipefail

TOP=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
. "$TOP/build/toolchain"
work=$(mktemp -d /var/tmp/skytools-pip.XXXXXX)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP

die() { printf 'test-pip: %s\n' "$*" >&2; exit 1; }

same() { # TITLE EXPECTED FOUND
    diff "$2" "$3" || die "$1"
    printf 'ok    %s\n' "$1"
}

mkdir "$work/tree" "$work/dist"
git -C "$TOP" archive "${SKYTOOLS_TREE:-HEAD}" | tar -C "$work/tree" -xf -
(cd "$work/tree" && find . -type f | sed 's#^\./##' | sort) >"$work/files"
"$PYTHON" -m venv "$work/build"
"$work/build/bin/pip" install -q --disable-pip-version-check build
"$work/build/bin/python" -m build -q --outdir "$work/dist" "$work/tree" >"$work/build.log" 2>&1 || {
    tail -n 20 "$work/build.log" >&2
    die "the build failed"
}
sdist=$(find "$work/dist" -name '*.tar.gz')
wheel=$(find "$work/dist" -name '*.whl')

# Every module, through the links of the package; wheels are made of the sdist.
(cd "$work/tree" && find -L skytools pgq.py -type f ! -name '*.pyc' | sort) >"$work/wanted"
"$PYTHON" -m zipfile -l "$wheel" | awk '$1 ~ /^(skytools\/|pgq.py)/ {print $1}' | sort >"$work/found"
same "the wheel has every module and query" "$work/wanted" "$work/found"

tar -tzf "$sdist" | sed -n 's#^[^/]*/##p' | sort >"$work/found"
comm -23 "$work/files" "$work/found" | sed '/^\.git/d' >"$work/missing"
: >"$work/none"
same "the sdist has every file" "$work/none" "$work/missing"

mapfile -t commands < <("$PYTHON" -c '
import sys, tomllib
print(*tomllib.load(open(sys.argv[1], "rb"))["project"]["scripts"], sep="\n")' "$work/tree/pyproject.toml")

try() { # NAME FILE
    local name=$1 file=$2 command
    "$PYTHON" -m venv "$work/$name"
    "$work/$name/bin/pip" install -q --disable-pip-version-check "$file"
    for command in "${commands[@]}"; do
        (cd / && "$work/$name/bin/$command" --version >/dev/null) || die "$name: $command does not run"
    done
    printf 'ok    %s: %d commands\n' "$name" "${#commands[@]}"
    # Only the examples are taken from the tree, not its modules.
    mkdir "$work/$name-demo"
    cp -R "$work/tree/examples" "$work/$name-demo/"
    (
        cd "$work/$name-demo"
        SKYTOOLS_PG_BINDIR=$(cat "$TOP"/build/pg*.path | tail -n 1)/bin \
            "$work/$name/bin/python" -m examples.demo --rate 100 --seconds 5 >"$work/$name.log" 2>&1
    ) || { tail -n 20 "$work/$name.log" >&2; die "$name: the demo failed"; }
    printf 'ok    %s: demo: %s\n' "$name" "$(tail -n 1 "$work/$name.log")"
}
try wheel "$wheel"
try sdist "$sdist"
try folder "$work/tree"
printf 'test-pip: all good\n'
