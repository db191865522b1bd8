#include "part.h"

#include <algorithm>
#include <cstring>

#include "../wire/bytes.h"
#include "../wire/digest.h"
#include "line.h"

namespace tf {
namespace {
constexpr uint32_t kSeedChars = 32;

uint8_t nibble(char c) { return static_cast<uint8_t>(c <= '9' ? c - '0' : c - 'a' + 10); }
}  // namespace

bool part_fits(const PartRow* rows, uint32_t count, uint64_t text_length) {
  for (uint32_t i = 0; i < count; i++) {
    const PartRow& r = rows[i];
    for (Span PartRow::*p : kSpans)
      if (static_cast<uint64_t>((r.*p).at) + (r.*p).length > text_length) return false;
    if ((r.flags & kOfFlow) && r.flow.length < kSeedChars) return false;
    if ((r.flags & kWhole) && r.columns.length != kColumns * sizeof(double)) return false;
  }
  return true;
}

void stamp_part(PartRow* rows, uint32_t count, const char* text, const std::string& capture, const std::string& dataset) {
  std::vector<uint8_t> in(capture.begin(), capture.end());
  const size_t base = in.size();
  for (uint32_t i = 0; i < count; i++) {
    PartRow& r = rows[i];
    uint8_t digest[32];
    in.resize(base);
    if (r.flags & kOfFlow) {
      const char* seed = text + r.flow.at + r.flow.length - kSeedChars;  // what flow.id is made of besides the capture's
      for (uint32_t k = 0; k < kSeedChars; k += 2) in.push_back(static_cast<uint8_t>(nibble(seed[k]) << 4 | nibble(seed[k + 1])));
      sha256(in.data(), in.size(), digest);
      memcpy(r.flow_id, digest, sizeof r.flow_id);
      in.resize(base);
    }
    in.insert(in.end(), dataset.begin(), dataset.end());
    if (r.flags & kOfFlow) {
      in.resize(in.size() + 32);
      hex(r.flow_id, reinterpret_cast<char*>(in.data() + in.size() - 32));
    }
    if (!(r.flags & kWhole)) {
      uint8_t position[24];
      put_be64(position, static_cast<uint64_t>(r.packet));
      put_be64(position + 8, static_cast<uint64_t>(r.stream));
      put_be32(position + 16, r.side);
      put_be32(position + 20, r.index);
      in.insert(in.end(), position, position + 24);
    }
    sha256(in.data(), in.size(), digest);
    memcpy(r.id, digest, sizeof r.id);
  }
}

uint64_t part_bound(const PartRow* rows, uint32_t count) {
  uint64_t n = 0;
  for (uint32_t i = 0; i < count; i++) n += line_bound(rows[i]);
  return n;
}

Sealed seal_part(const PartRow* rows, uint32_t count, const char* text, const std::string& capture, const std::string& dataset, char* out, PartKey* keys) {
  std::vector<uint32_t> order(count);
  for (uint32_t i = 0; i < count; i++) order[i] = i;
  std::sort(order.begin(), order.end(), [&](uint32_t x, uint32_t y) {
    const PartRow &a = rows[x], &b = rows[y];
    if (a.seconds != b.seconds) return a.seconds < b.seconds;
    if (a.nanos != b.nanos) return a.nanos < b.nanos;
    if (a.packet != b.packet) return a.packet < b.packet;
    int c = memcmp(a.id, b.id, 16);
    return c ? c < 0 : x < y;
  });
  Sealed sealed{0, 0};
  LineWriter lines(capture, dataset);
  for (uint32_t i : order) {
    const PartRow& r = rows[i];
    const auto length = static_cast<uint32_t>(lines.write(r, text, out + sealed.bytes));
    sealed.bytes += length;
    sealed.longest = std::max(sealed.longest, length);
    keys->seconds = r.seconds;
    keys->packet = r.packet;
    keys->nanos = r.nanos;
    keys->length = length;
    memcpy(keys->id, r.id, 16);
    keys++;
  }
  return sealed;
}

}  // namespace tf
