#include "part.h"

#include <algorithm>
#include <cstring>

#include "../wire/bytes.h"
#include "../wire/digest.h"

namespace tf {
namespace {
void hex(const uint8_t* in, char* out) {
  for (int i = 0; i < 16; i++) {
    out[2 * i] = "0123456789abcdef"[in[i] >> 4];
    out[2 * i + 1] = "0123456789abcdef"[in[i] & 15];
  }
}
}  // namespace

void stamp_part(PartRow* rows, uint32_t count, char* text, const std::string& capture, const std::string& dataset) {
  std::vector<uint8_t> in(capture.begin(), capture.end());
  const size_t base = in.size();
  for (uint32_t i = 0; i < count; i++) {
    PartRow& r = rows[i];
    char* line = text + r.text;
    uint8_t digest[32];
    char flow[32] = {0};
    if (r.flags & 1) {
      in.resize(base);
      in.insert(in.end(), r.seed, r.seed + 16);
      sha256(in.data(), in.size(), digest);
      hex(digest, flow);
      if (r.flow_at) memcpy(line + r.flow_at, flow, 32);
    }
    in.resize(base);
    in.insert(in.end(), dataset.begin(), dataset.end());
    if (r.flags & 1) in.insert(in.end(), flow, flow + 32);
    if (!(r.flags & 2)) {
      uint8_t position[24];
      put_be64(position, static_cast<uint64_t>(r.packet));
      put_be64(position + 8, static_cast<uint64_t>(r.stream));
      put_be32(position + 16, r.side);
      put_be32(position + 20, r.index);
      in.insert(in.end(), position, position + 24);
    }
    sha256(in.data(), in.size(), digest);
    memcpy(r.id, digest, 16);
    hex(digest, line + r.event_at);
    if (r.capture_at) memcpy(line + r.capture_at, capture.data(), std::min<size_t>(capture.size(), 64));
  }
}

void sort_part(const PartRow* rows, uint32_t count, const char* text, char* out, PartKey* keys) {
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
  for (uint32_t i : order) {
    const PartRow& r = rows[i];
    memcpy(out, text + r.text, r.text_length);
    out += r.text_length;
    keys->seconds = r.seconds;
    keys->packet = r.packet;
    keys->nanos = r.nanos;
    keys->length = r.text_length;
    memcpy(keys->id, r.id, 16);
    keys++;
  }
}

}  // namespace tf
