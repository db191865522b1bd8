#!/usr/bin/env bash
# Everything `make test` proves, step by step; each step goes on whatever the others did. Ends with a plain count.
# LONG=1: the full matrices, ten minutes of fuzzing a target, a stream of 20 GB, half an hour of rolling capture, a million mutated
# captures and as many damaged files.
set -u
cd "$(dirname "$0")/.."
export PATH=$PWD/.node/bin:$PWD/node_modules/.bin:$PATH CORPUS=${CORPUS:-$PWD/../shared/pcaps}
passed=0 failed=0 logs=.cache/test; mkdir -p "$logs"
step() { # step NAME COMMAND…
  local name=$1 log=$logs/$1.log start=$SECONDS; shift
  if "$@" >"$log" 2>&1; then result=ok; else result=FAILED; fi
  printf '%-14s %-7s %4d s\n' "$name" "$result" $((SECONDS - start))
  if [ $result = FAILED ]; then tail -60 "$log"; fi
}
count() { passed=$((passed + ${1:-0})); failed=$((failed + ${2:-0})); }
whole() { if [ "$result" = ok ]; then count 1 0; else count 0 1; fi; }

step build make --no-print-directory build; whole
step lint biome check src test scripts ui; whole
step types tsc --noEmit -p tsconfig.test.json; whole
step imports node scripts/check-imports.ts; whole
step native bash scripts/native-test.sh
n=$(sed -n 's/^native: \([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$logs/native.log"); count ${n:-0 1}; whole
grep -h skipped "$logs/native.log"
step jest bash scripts/with-servers.sh node --experimental-vm-modules --disable-warning=ExperimentalWarning node_modules/jest/bin/jest.js
line=$(grep '^Tests:' "$logs/jest.log" | tail -1)
if [ -n "$line" ]; then count "$(sed -n 's/.* \([0-9]*\) passed.*/\1/p' <<<"$line")" "$(sed -n 's/.* \([0-9]*\) failed.*/\1/p' <<<"$line")"; else count 0 1; fi
if [ -n "${LONG:-}" ]; then step corpus env L1=1 node scripts/corpus.ts; else step corpus env L1=sample node scripts/corpus.ts; fi; whole
tail -1 "$logs/corpus.log"
step faults env FAULTS=1 bash scripts/with-servers.sh node --experimental-vm-modules --disable-warning=ExperimentalWarning node_modules/jest/bin/jest.js test/faults; whole
step cluster env PAIRS="$([ -n "${LONG:-}" ] && echo 1x1 1x3 1x8 2x1 2x3 2x8 4x1 4x3 4x8 || echo 1x1 2x3 4x8)" EVERY="$([ -n "${LONG:-}" ] && echo 1 || echo 2)" bash scripts/with-servers.sh node scripts/corpus-cluster.ts; whole
tail -1 "$logs/cluster.log"
step conformance node test/conformance/run.ts --check; whole
tail -1 "$logs/conformance.log"
step fuzz env SECONDS_EACH="$([ -n "${LONG:-}" ] && echo 600 || echo 5)" bash scripts/fuzz.sh; whole
if [ -n "${LONG:-}" ]; then step soak node scripts/soak.ts 20; whole; tail -1 "$logs/soak.log"; fi
if [ -n "${LONG:-}" ]; then
  # Rolling leaves most of the machine idle: the mutations run beside it.
  if [ "$(id -u)" = 0 ]; then node scripts/rolling.ts 30 >"$logs/rolling.out" 2>&1 & rolling=$!; fi
  step mutations nice bash scripts/mutations.sh "${MUTATIONS:-1000000}"; whole
  ended() { wait "$rolling"; local rc=$?; cat "$logs/rolling.out"; return $rc; }
  if [ -n "${rolling:-}" ]; then step rolling ended; whole; tail -1 "$logs/rolling.log"; fi
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
