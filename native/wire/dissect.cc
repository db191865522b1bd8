#include "dissect.h"

#include <bit>

#include "bytes.h"

namespace tf {

// The one's complement sum does not care for byte order but for a final swap (RFC 1071 §2): words are added as they lie in memory.
uint32_t checksum_add(const uint8_t* p, uint32_t len, uint32_t sum) {
  uint64_t s = 0;
  uint32_t words[8];
  for (; len >= sizeof words; p += sizeof words, len -= sizeof words) {
    memcpy(words, p, sizeof words);
    for (uint32_t w : words) s += w;
  }
  for (; len >= 2; p += 2, len -= 2) {
    uint16_t w;
    memcpy(&w, p, 2);
    s += w;
  }
  if (len) {
    uint16_t w = 0;
    memcpy(&w, p, 1);
    s += w;
  }
  while (s >> 16) s = (s & 0xffff) + (s >> 16);
  auto folded = static_cast<uint32_t>(s);
  if constexpr (std::endian::native == std::endian::little) folded = (folded >> 8 | folded << 8) & 0xffff;
  return checksum_fold(folded + (sum & 0xffff) + (sum >> 16));
}
uint16_t checksum_fold(uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

// What follows a header: the next layer and how many bytes this one took. The table is the switch in `step`.
static Next step(Layer layer, Cursor& c, Packet& out) {
  switch (layer.kind) {
    case Layer::ethernet: return ethernet(c, out);
    case Layer::ethertype: return ethertype(layer.value, c, out);
    case Layer::llc: return llc(c, out);
    case Layer::ppp: return ppp(c, out);
    case Layer::mpls: return mpls(c, out);
    case Layer::ip_any: return ip_any(c, out);
    case Layer::ipv4: return ipv4(c, out);
    case Layer::ipv6: return ipv6(c, out);
    case Layer::ip_protocol: return ip_protocol(layer.value, c, out);
    case Layer::done: return done();
  }
  return done();
}

static void walk(Layer layer, Cursor c, Packet& out, std::vector<Step>* steps) {
  while (layer.kind != Layer::done) {
    if (out.layers++ >= kMaxLayers) {
      out.oddities.add(Anomaly::too_many_layers, c.offset());
      return;
    }
    if (steps) steps->push_back({layer, c.offset()});
    layer = step(layer, c, out).layer;
  }
}

bool known_linktype(uint32_t linktype) {
  Packet p;
  Cursor c(nullptr, 0, 0);
  return link_layer(linktype, c, p).known;
}

void dissect(uint32_t linktype, const uint8_t* data, uint32_t caplen, uint32_t length, Packet& out, std::vector<Step>* steps) {
  Cursor c(data, caplen, length);
  out.snapped = caplen < length;
  LinkResult first = link_layer(linktype, c, out);
  if (!first.known) {
    out.undecodable = Undecodable::unknown_link_type;
    return;
  }
  if (first.truncated) {
    out.undecodable = Undecodable::truncated_link_header;
    out.oddities.add(Anomaly::link_header_truncated, 0, first.needed, caplen);
    return;
  }
  out.carries = Carries::frame;
  out.network = c.p;
  out.network_cap = c.cap;
  walk(first.layer, c, out, steps);
}

void dissect_payload(const uint8_t* data, uint32_t len, Packet& out) {
  Cursor c(data, len, len);
  out.snapped = false;
  out.reassembled = true;
  out.carries = Carries::ip;
  walk({Layer::ip_protocol, out.protocol}, c, out, nullptr);
}

}  // namespace tf
