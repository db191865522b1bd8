// A cBPF program and a packet: what verifies must run, and end.
#include "../filter/bpf.h"
#include "../wire/bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  tf::Program p;
  size_t n = data[0] % 32, at = 1;
  for (; p.size() < n && at + 8 <= size; at += 8) p.push_back({tf::be16(data + at), data[at + 2], data[at + 3], tf::be32(data + at + 4)});
  if (!p.empty() && tf::verify(p).empty()) tf::run(p, data + at, static_cast<uint32_t>(size - at), static_cast<uint32_t>(size - at));
  return 0;
}
