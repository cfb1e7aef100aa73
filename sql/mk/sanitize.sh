#!/bin/bash
# SPDX-License-Identifier: ISC
# Run the tests of the C code built with AddressSanitizer and UndefinedBehaviorSanitizer, by the C compiler of the
# server's packages. What they find is printed; the backend that did it dies, so the test fails too.
export VARIANT=-sanitize
export EXTENSIONS=${EXTENSIONS:-pgq}
# shellcheck source=env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/env.sh"

asan=$(gcc -print-file-name=libasan.so)
[ -e "$asan" ] || die "libasan.so is missing: it comes with gcc"
flags='-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g -O1'

reports=$(mktemp -d /var/tmp/skytools-sanitize.XXXXXX)
trap 'rm -rf "$reports"' EXIT
chmod 777 "$reports"
export SANITIZER_LOG=$reports/log

COPT=$flags bash "$SQL_DIR/mk/tree.sh" >/dev/null

# The server is not built with it, so its library has to come first: by a script in place of the program. Only the
# server gets it. With it the first bindtextdomain of glibc may never return; nothing is translated here.
program=$TREE$BINDIR/postgres
if [ ! -e "$program.real" ]; then
    gcc -shared -fPIC -o "$TREE/untranslated.so" -xc - <<'C'
char *bindtextdomain(const char *domain, const char *folder) { (void) domain; return (char *) folder; }
C
    mv "$program" "$program.real"
    cat >"$program" <<SH
#!/bin/bash
export LD_PRELOAD=$(readlink -f "$asan"):$TREE/untranslated.so
exec -a "\$0" "$program.real" "\$@" 2>>"\${SANITIZER_LOG:-/dev/stderr}"
SH
    chmod 755 "$program"
fi

# A server never gives back all of its memory at the end, and measures its stack by addresses.
export ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0:abort_on_error=1
export UBSAN_OPTIONS=print_stacktrace=1:abort_on_error=1
status=0
bash "$SQL_DIR/mk/installcheck.sh" || status=1
if grep -A 20 -E 'runtime error: |ERROR: AddressSanitizer' "$SANITIZER_LOG"; then
    status=1
fi
[ "$status" = 0 ] || die "the sanitizers have found something, or tests failed"
printf 'sql: sanitizers have found nothing on PostgreSQL %s\n' "$MAJOR"
