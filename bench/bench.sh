#!/usr/bin/env bash
# Us and the peers on PATH, on the same file in one run: seconds, CPU seconds, peak memory, packets/s, ratios to tcpdump.
#   bench/bench.sh CAPTURE
set -eu
cd "$(dirname "$0")/.."
capture=${1:?a capture}; runs=${RUNS:-3}
if [ ! -e "$capture" ] && [ "$capture" = .cache/bench/mixed.pcap ]; then mkdir -p .cache/bench; .node/bin/node scripts/generate-capture.ts "$capture"; fi
cat "$capture" >/dev/null; T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
exec .node/bin/node bench/bench.mjs "$capture" "$runs" "$T"
