#!/usr/bin/env bash
# Capturing beside tcpdump and dumpcap: the same traffic at top speed over a veth pair, once for each. Packets sent, written, dropped; CPU seconds,
# for threatflow also those of the process that records alone (start included, until the traffic is over), without the one that decodes.
#   sudo bench/live.sh [LOOPS]
set -u
cd "$(dirname "$0")/.."
loops=${1:-30}; T=$(mktemp -d); A=tfbench-a B=tfbench-b
trap 'ip netns del $A 2>/dev/null; ip netns del $B 2>/dev/null; rm -rf "$T"' EXIT
ip netns add $A && ip netns add $B && ip link add va netns $A type veth peer name vb netns $B || exit 1
ip -n $A link set va mtu 9000 up; ip -n $B link set vb mtu 9000 up; sleep 1
.node/bin/node -e '
const fs=require("fs");const out=[Buffer.from("d4c3b2a1020004000000000000000000ffff000001000000","hex")];
for(let i=0;i<20000;i++){const f=Buffer.alloc(60);f.writeUInt16BE(0x800,12);f[14]=0x45;f.writeUInt16BE(46,16);f[22]=64;f[23]=17;f.writeUInt32BE(0x0a000000+(i%200),26);f.writeUInt32BE(0x0a000100,30);f.writeUInt16BE(1024+i%5000,34);f.writeUInt16BE(9,36);f.writeUInt16BE(26,38);const h=Buffer.alloc(16);h.writeUInt32LE(1.7e9+i,0);h.writeUInt32LE(60,8);h.writeUInt32LE(60,12);out.push(h,f)}
fs.writeFileSync(process.argv[1],Buffer.concat(out))' "$T/small.pcap"
cp fixtures/pcaps/mixed/everything.pcap "$T/mixed.pcap"
echo "| traffic | tool | sent | written | dropped | sent/s | CPU s | recording |"; echo "|---|---|---:|---:|---:|---:|---:|---:|"
recorder_cpu() { # seconds of the node process that has the capture's folder among its arguments
  local pid
  for pid in $(pgrep -f "$T/capture"); do
    [ "$(basename "$(readlink "/proc/$pid/exe")")" = node ] && awk -v hz="$(getconf CLK_TCK)" '{sub(/.*\) /, ""); print ($12 + $13) / hz}' "/proc/$pid/stat"
  done
}
one() { # one TRAFFIC LOOPS NAME COMMAND…
  local traffic=$1 n=$2 name=$3; shift 3
  ip netns exec $B /usr/bin/time -f '%U %S' -o "$T/time" "$@" >"$T/out" 2>"$T/err" &
  sleep 2
  ip netns exec $A tcpreplay -K -i va --topspeed --loop="$n" "$T/$traffic.pcap" >"$T/replay" 2>&1
  sleep 1.5
  local recording=""
  [[ $name != threatflow* ]] || recording=$(recorder_cpu)
  pkill -INT -f "$T/capture" ; wait
  local sent; sent=$(sed -n 's/^Actual: \([0-9]*\) packets.*/\1/p' "$T/replay"); local rate; rate=$(sed -n 's/^Rated:.* \([0-9.]*\) pps$/\1/p' "$T/replay")
  local written dropped
  case $name in
    threatflow*) written=$(sed -n 's/.*"packets":\([0-9]*\),"first".*/\1/p' "$T/out"); dropped=$(sed -n 's/.*"kernel_dropped":\([0-9]*\).*/\1/p' "$T/out") ;;
    tcpdump) written=$(sed -n 's/^\([0-9]*\) packets captured/\1/p' "$T/err"); dropped=$(sed -n 's/^\([0-9]*\) packets dropped by kernel/\1/p' "$T/err") ;;
    dumpcap) read -r written dropped <<<"$(sed -n "s#.*received/dropped on interface.*: \([0-9]*\)/\([0-9]*\).*#\1 \2#p" "$T/err")" ;;
  esac
  echo "| $traffic | $name | $sent | ${written:-?} | ${dropped:-?} | $rate | $(tail -1 "$T/time" | awk '{print $1+$2}') | $recording |"
  rm -rf "$T"/capture*
}
for traffic in small mixed; do
  n=$loops; [ $traffic = mixed ] && n=$((loops * 60))
  one $traffic $n tcpdump tcpdump -i vb -w "$T/capture" -B 65536
  command -v dumpcap >/dev/null && one $traffic $n dumpcap dumpcap -q -i vb -w "$T/capture" -B 64
  one $traffic $n threatflow bin/threatflow capture -i vb --data "$T/capture" --json --quiet
  one $traffic $n "threatflow --record-only" bin/threatflow capture -i vb --record-only --data "$T/capture" --json --quiet
done
