#!/usr/bin/env bash
# Each native fuzz target for SECONDS_EACH seconds, beginning with the fixtures and what fixtures/fuzz has: TARGET.tar.gz, the inputs that reach
# what earlier runs reached, and TARGET/, those that found something. KEEP=1 makes the archives anew from what was reached until now.
set -euo pipefail
cd "$(dirname "$0")/.."
each=${SECONDS_EACH:-5}
CXX=clang++ cmake -S native -B build/fuzz -DSANITIZE=ON -DADDON=OFF -DFUZZ=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo >/dev/null
cmake --build build/fuzz -j"$(nproc)" -- --no-print-directory -s
for target in capture packet filter; do
  corpus=.cache/fuzz/$target; mkdir -p "$corpus" "fixtures/fuzz/$target" ".cache/fuzz/found"
  [ ! -f fixtures/fuzz/$target.tar.gz ] || tar -xzf fixtures/fuzz/$target.tar.gz -C "$corpus"
  [ "$target" != capture ] || find fixtures/pcaps -name '*.pcap' -size -40k -exec cp -n {} "$corpus" \;
  build/fuzz/fuzz_$target -max_total_time="$each" -timeout=10 -rss_limit_mb=3000 -max_len=20000 -print_final_stats=0 -verbosity=0 -artifact_prefix=".cache/fuzz/found/$target-" "$corpus" "fixtures/fuzz/$target" 2>.cache/fuzz/$target.log || { tail -30 ".cache/fuzz/$target.log"; echo "fuzz: $target failed; the input lies in .cache/fuzz/found"; exit 1; }
  echo "fuzz: $target $each s, nothing found"
  if [ -n "${KEEP:-}" ]; then
    small=$(mktemp -d)
    build/fuzz/fuzz_$target -set_cover_merge=1 -max_len=1500 "$small" "$corpus" 2>>.cache/fuzz/$target.log
    tar --sort=name --owner=0 --group=0 --mtime=@0 -C "$small" -cf - . | gzip -9n >fixtures/fuzz/$target.tar.gz
    rm -r "$small"
  fi
done
