#!/usr/bin/env bash
# Coverage of dist/ (what src/ is compiled to, child processes included) by jest, and of native/ by its own tests, the fixtures and the corpus.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PWD/.node/bin:$PWD/node_modules/.bin:$PATH CORPUS=${CORPUS:-$PWD/../shared/pcaps}
raw=$PWD/.cache/coverage
rm -rf "$raw" coverage && mkdir -p "$raw" coverage
NODE_V8_COVERAGE=$raw bash scripts/with-servers.sh node --experimental-vm-modules --disable-warning=ExperimentalWarning \
  node_modules/jest/bin/jest.js ${JEST:-} || echo "coverage: some tests failed; what they reached counts all the same"
c8 report --temp-directory "$raw" --include 'dist/**/*.js' --exclude 'dist/ui/**' --all --src dist --reporter text --reporter html --reports-dir coverage/src |
  tee coverage/src.txt | awk -F'|' 'NR < 4 || /All files/ || ($2 + 0 < 90 && /\.js/)'
cmake -S native -B build/coverage -DADDON=OFF -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS=--coverage >/dev/null
cmake --build build/coverage -j"$(nproc)" -- --no-print-directory -s >/dev/null
build/coverage/native_tests >/dev/null
build/coverage/filter_kernel 20000 >/dev/null
build/coverage/overlap_kernel >/dev/null
find fixtures/pcaps -name '*.pcap' -print0 | xargs -0 build/coverage/corpus_native >/dev/null
[ ! -d "$CORPUS" ] || find "$CORPUS" -path "$CORPUS/expected" -prune -o -type f -print0 | xargs -0 -n 200 build/coverage/corpus_native >/dev/null
gcovr --root native --exclude '.*/test/.*' --exclude '.*/fuzz/.*' --exclude '.*/binding/.*' build/coverage --txt coverage/native.txt
cat coverage/native.txt
