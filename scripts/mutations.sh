#!/usr/bin/env bash
# mutations.sh N: N mutated captures and N damaged files through the whole path, in as many processes as there are cores, each with a seed of its own.
set -u
cd "$(dirname "$0")/.."
cores=$(nproc) pids=() failed=0
[ -w /dev/shm ] && export TMPDIR=/dev/shm # small files, written and removed by the million
for ((i = 1; i <= cores; i++)); do
  SEED=$i MUTATIONS=$(($1 / cores)) node --experimental-vm-modules --disable-warning=ExperimentalWarning \
    node_modules/jest/bin/jest.js -i test/mutations &
  pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
exit $failed
