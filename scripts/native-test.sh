#!/usr/bin/env bash
# The native core under ASan and UBSan: its tests, then the fixtures and (where it is) the corpus.
set -euo pipefail
cd "$(dirname "$0")/.."
cmake -S native -B build/asan -DSANITIZE=ON -DADDON=OFF -DCMAKE_BUILD_TYPE=RelWithDebInfo >/dev/null
cmake --build build/asan -j"$(nproc)" -- --no-print-directory -s
build/asan/native_tests
build/asan/filter_kernel 200000
build/native/overlap_kernel  # as users build it: under the sanitizers it would take minutes
find fixtures/pcaps -name '*.pcap' -print0 | xargs -0 build/asan/corpus_native
CORPUS=${CORPUS:-$PWD/../shared/pcaps}
if [ -d "$CORPUS" ]; then
  find "$CORPUS" -path "$CORPUS/expected" -prune -o -type f -print0 | xargs -0 -n 200 build/asan/corpus_native
else
  echo "native corpus: skipped, no folder $CORPUS (set CORPUS)"
fi
