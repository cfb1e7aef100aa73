#!/bin/bash
# SPDX-License-Identifier: ISC
# Build the packages, install them into empty booted systems, and go the ways of users: a new one (fresh_steps.sh) and
# one who comes from Debian's pgqd and pgq 3 (migrate_steps.sh). One line for each step, and a count at the end.
#
#   test-deb.sh SUITE [fresh|migrate|autopkg]
#
# SKYTOOLS_BUILT=1 takes the packages that are in build/deb/SUITE. Logs of failed steps: build/deb/SUITE/test.
# shellcheck source=common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=boot.sh
. "$TOP/tests/packaging/boot.sh"
# shellcheck source=site.sh
. "$TOP/tests/packaging/site.sh"
# shellcheck source=fresh_steps.sh
. "$TOP/tests/packaging/fresh_steps.sh"
# shellcheck source=londiste_steps.sh
. "$TOP/tests/packaging/londiste_steps.sh"
# shellcheck source=migrate_steps.sh
. "$TOP/tests/packaging/migrate_steps.sh"
# shellcheck source=autopkg_steps.sh
. "$TOP/tests/packaging/autopkg_steps.sh"

suite=${1:-}
ways=${2:-fresh migrate autopkg}
require_suite "$suite"
N=$(major_of "$suite")
export N
debs=$TOP/build/deb/$suite
[ -n "${SKYTOOLS_BUILT:-}" ] || "$TOP/tests/packaging/build.sh" "$suite" >/dev/null
[ -f "$debs/Packages" ] || die "$debs has no packages: run without SKYTOOLS_BUILT"

logs=$debs/test
rm -rf "$logs"
mkdir -p "$logs"
root=
passed=0 failed=0 skipped=0
clean_up() {
    shut_down
    [ -z "$root" ] || rm -rf "$root" "$root.boot.log"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

# Runs a function as a step. Later steps need earlier ones: after a failure the rest of the way is skipped.
broken=
step() { # TITLE FUNCTION
    local title=$1 log=$logs/$2.log started=$EPOCHREALTIME took
    if [ -n "$broken" ]; then
        skipped=$((skipped + 1))
        printf 'skip  %s %s\n' "$suite" "$title"
        return 0
    fi
    # Not in a condition: `set -e` would have no effect inside.
    set +e
    (
        set -euo pipefail
        "$2"
    ) >"$log" 2>&1
    local status=$?
    set -e
    took=$(awk -v a="$started" -v b="$EPOCHREALTIME" 'BEGIN {printf "%.1f", b - a}')
    if [ "$status" = 0 ]; then
        passed=$((passed + 1))
        printf 'ok    %s %s (%s s)%s\n' "$suite" "$title" "$took" "$(sed -n 's/^figure: / \/ /p' "$log" | tr -d '\n')"
    else
        failed=$((failed + 1))
        broken=$title
        printf 'FAIL  %s %s (%s s), %s:\n' "$suite" "$title" "$took" "$log"
        tail -n 15 "$log" | sed 's/^/      /'
        inside journalctl -b --no-pager >"$logs/journal.log" 2>&1 || true
    fi
}

make_base "$suite"
for way in $ways; do
    root=$CHROOTS/$way-$suite.$$
    broken=
    copy_root "$CHROOTS/base-$suite" "$root"
    mkdir -p "$root/srv"
    cp -a "$debs" "$root/srv/repo"
    "prepare_$way"
    boot "$root"
    "run_$way"
    shut_down
    rm -rf "$root" "$root.boot.log"
    root=
done
printf '%s: %d passed, %d failed, %d skipped\n' "$suite" "$passed" "$failed" "$skipped"
[ "$((failed + skipped))" = 0 ]
