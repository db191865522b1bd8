// The layers below transport, one function each: read a header at the cursor, note what matters in the packet, name what follows.
#pragma once
#include "packet.h"

namespace tf {

struct Layer {
  enum Kind : uint8_t { done, ethernet, ethertype, llc, ppp, mpls, ip_any, ipv4, ipv6, ip_protocol } kind;
  uint32_t value = 0;
};
struct Next {
  Layer layer;
};
inline Next done() { return {{Layer::done, 0}}; }
inline Next to(Layer::Kind kind, uint32_t value = 0) { return {{kind, value}}; }

// Bytes still to read: captured (`cap`) and on the wire (`wire`), which is more when the snapshot length cut the packet.
struct Cursor {
  const uint8_t *start, *p;
  uint32_t cap, wire;
  Cursor(const uint8_t* data, uint32_t caplen, uint32_t length) : start(data), p(data), cap(caplen), wire(length) {}
  uint32_t offset() const { return static_cast<uint32_t>(p - start); }
  bool has(uint32_t n) const { return cap >= n; }
  void take(uint32_t n) { p += n, cap -= n, wire = wire > n ? wire - n : 0; }
  void limit(uint32_t n) {
    if (wire > n) wire = n;
    if (cap > n) cap = n;
  }
};

struct LinkResult {
  bool known = true, truncated = false;
  uint32_t needed = 0;
  Layer layer{Layer::done, 0};
};

inline LinkResult at(Layer::Kind kind, uint32_t value = 0) { return {true, false, 0, {kind, value}}; }
inline LinkResult cut(uint32_t needed) { return {true, true, needed, {Layer::done, 0}}; }
inline void frame(Packet& out, uint32_t type) { out.frame_type = type; }

LinkResult link_layer(uint32_t linktype, Cursor& c, Packet& out);
LinkResult ieee80211(Cursor& c, Packet& out, bool fcs);
LinkResult radiotap(Cursor& c, Packet& out);
LinkResult ppi(Cursor& c, Packet& out);
LinkResult prism(Cursor& c, Packet& out);
Next ethernet(Cursor& c, Packet& out);
Next ethertype(uint32_t type, Cursor& c, Packet& out);
Next llc(Cursor& c, Packet& out);
Next ppp(Cursor& c, Packet& out);
Next mpls(Cursor& c, Packet& out);
Next ip_any(Cursor& c, Packet& out);
Next ipv4(Cursor& c, Packet& out);
Next ipv6(Cursor& c, Packet& out);
Next ip_protocol(uint32_t protocol, Cursor& c, Packet& out);
Next gre(Cursor& c, Packet& out);
// Is this UDP datagram a tunnel? Port and a valid inner header decide; `c` stands behind the UDP header.
bool udp_tunnel(uint16_t source, uint16_t destination, Cursor& c, Packet& out, Next& next);

}  // namespace tf
