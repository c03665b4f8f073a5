#!/usr/bin/env bash
# Every tests/**/*_test.cc is compiled, and every TEST in it is one that `ctest -N` lists: a test that does not run protects nothing.
# Every fuzz target has a corpus that ctest replays, and corpora stay small.
# Usage: registered.sh BUILD_DIR
set -euo pipefail
build=$1

failed=0
complain() {
  printf '%s\n' "$*"
  failed=1
}

# Listed names, each as Suite.Name: without the layer in front, without instance and parameter.
listed=$(ctest --test-dir "$build" -N | sed -nE 's/^ *Test +#[0-9]+: //p')
names=$(sed -nE 's#^[a-z]+\.([A-Za-z0-9_]+/)?([A-Za-z0-9_]+\.[A-Za-z0-9_]+)(/.*)?$#\2#p' <<<"$listed" | sort -u)

if grep -q '_NOT_BUILT' <<<"$listed"; then complain "not built: $(grep '_NOT_BUILT' <<<"$listed" | tr '\n' ' ')"; fi

while read -r file; do
  grep -qF "/$file\"" "$build/compile_commands.json" || grep -qrF "/$file\"" "$build"/tests --include='unity_*' ||
    complain "$file is not compiled"
  tests=$(tr '\n' ' ' <"$file" | grep -oE '\bTEST(_F|_P)?\( *[A-Za-z0-9_]+ *, *[A-Za-z0-9_]+ *\)' |
    sed -E 's/^TEST(_F|_P)?\( *([A-Za-z0-9_]+) *, *([A-Za-z0-9_]+) *\)/\2.\3/' || true)
  for name in $tests; do
    [[ $name != *DISABLED_* ]] || complain "$file: $name is disabled"
    grep -qxF "$name" <<<"$names" || complain "$file: $name is not listed by ctest -N"
  done
done < <(find tests -name node_modules -prune -o -name '*_test.cc' -print | sort)

for target in tests/fuzz/targets/*.cc; do
  name=$(basename "$target" .cc)
  corpus=tests/fuzz/corpus/$name
  grep -qxF "fuzz.$name" <<<"$listed" || complain "$target: fuzz.$name is not listed by ctest -N"
  bytes=$(find "$corpus" -type f -printf '%s\n' | awk '{ sum += $1; if ($1 > 8192) print "large" } END { print sum + 0 }')
  [[ $bytes != *large* ]] || complain "$corpus has a file of more than 8 KiB"
  [[ ${bytes##*$'\n'} -gt 0 && ${bytes##*$'\n'} -le 204800 ]] || complain "$corpus is empty or over 200 KiB: ./dev fuzz --merge"
done
for corpus in tests/fuzz/corpus/*/; do
  [[ -f tests/fuzz/targets/$(basename "$corpus").cc ]] || complain "$corpus has no target"
done

exit "$failed"
