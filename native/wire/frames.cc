// Between the link and IP: Ethernet, VLAN, LLC/SNAP, PPP, PPPoE, MPLS.
#include "bytes.h"
#include "layers.h"

namespace tf {

Next ethernet(Cursor& c, Packet& out) {
  if (!c.has(14)) {
    out.oddities.add(Anomaly::link_header_truncated, c.offset(), 14, c.cap);
    return done();
  }
  memcpy(out.mac_destination, c.p, 6);
  memcpy(out.mac_source, c.p + 6, 6);
  out.has_mac = true;
  uint32_t type = be16(c.p + 12);
  c.take(14);
  if (type >= 0x600) {
    if (out.layers <= 1) out.network = c.p, out.network_cap = c.cap;
    return to(Layer::ethertype, type);
  }
  // IEEE 802.3: a length, then LLC; 0xffff is Novell's raw IPX
  if (c.has(2) && be16(c.p) == 0xffff) {
    out.frame_type = 0x8137;
    return done();
  }
  if (type <= 1500) c.limit(type);
  return to(Layer::llc);
}

Next ethertype(uint32_t type, Cursor& c, Packet& out) {
  switch (type) {
    case 0x0800: return to(Layer::ipv4);
    case 0x86dd: return to(Layer::ipv6);
    case 0x0806: case 0x8035:
      out.carries = Carries::arp;
      out.frame_type = type;
      out.payload = c.p, out.payload_cap = c.cap, out.payload_len = c.wire;
      return done();
    case 0x8100: case 0x88a8: case 0x9100: case 0x9200:
      if (!c.has(4)) {
        out.oddities.add(Anomaly::vlan_header_truncated, c.offset(), 4, c.cap);
        out.frame_type = type;
        return done();
      } else {
        if (out.vlans < 2 && out.tunnels == 0) out.vlan[out.vlans++] = be16(c.p) & 0x0fff;
        uint32_t inner = be16(c.p + 2);
        c.take(4);
        if (inner >= 0x600) return to(Layer::ethertype, inner);
        c.limit(inner);
        return to(Layer::llc);
      }
    case 0x8847: case 0x8848: return to(Layer::mpls);
    case 0x8863: out.frame_type = type; return done();
    case 0x8864: {
      if (!c.has(8)) {
        out.oddities.add(Anomaly::pppoe_header_truncated, c.offset(), 8, c.cap);
        out.frame_type = type;
        return done();
      }
      uint32_t len = be16(c.p + 4);
      c.take(6);
      c.limit(len);
      out.enter(Tunnel::pppoe);
      return to(Layer::ppp);
    }
    case 0x6558:
      if (c.has(14)) return to(Layer::ethernet);
      out.frame_type = type;
      return done();
    case 0x880b: return to(Layer::ppp);
    case 0x8926:  // VN-Tag
      if (c.has(6)) {
        uint32_t inner = be16(c.p + 4);
        c.take(6);
        return to(Layer::ethertype, inner);
      }
      out.frame_type = type;
      return done();
    case 0x88e5: {  // MACsec (IEEE 802.1AE-2018 §9.3–9.9): what is authenticated and not encrypted can be read; an ICV stands behind it
      uint32_t size = c.has(1) && c.p[0] & 0x20 ? 14 : 6;
      if (c.has(size + 2) && !(c.p[0] & 0x8c)) {
        uint32_t inner = be16(c.p + size);
        c.take(size + 2);
        return to(Layer::ethertype, inner);
      }
      out.frame_type = type;
      return done();
    }
    default: out.frame_type = type; return done();
  }
}

Next llc(Cursor& c, Packet& out) {
  if (!c.has(3)) {
    out.oddities.add(Anomaly::link_header_truncated, c.offset(), 3, c.cap);
    return done();
  }
  uint32_t dsap = c.p[0], ssap = c.p[1], control = c.p[2];
  if (dsap == 0xaa && ssap == 0xaa && control == 3) {
    if (!c.has(8)) {
      out.oddities.add(Anomaly::link_header_truncated, c.offset(), 8, c.cap);
      return done();
    }
    uint32_t oui = be32(c.p + 2) & 0xffffff, type = be16(c.p + 6);
    c.take(8);
    // RFC 1042 and bridge-tunnel encapsulation carry ethertypes; bridged Ethernet is OUI 00-80-C2 with type 1 or 7
    if (oui == 0 || oui == 0x0000f8) return to(Layer::ethertype, type);
    if (oui == 0x0080c2 && (type == 1 || type == 7) && c.has(2)) {
      c.take(2);
      return to(Layer::ethernet);
    }
    out.frame_type = oui == 0x00000c ? type : (0x10000 | 0xaa);
    return done();
  }
  if (dsap == 0x06 && ssap == 0x06 && control == 3) {
    c.take(3);
    return to(Layer::ipv4);
  }
  if (dsap == 0xfe && ssap == 0xfe && control == 3 && c.has(4) && c.p[3] == 0xcc) {  // RFC 1483 routed, NLPID IPv4
    c.take(4);
    return to(Layer::ipv4);
  }
  out.frame_type = 0x10000 | dsap;
  return done();
}

Next ppp(Cursor& c, Packet& out) {
  if (c.has(2) && c.p[0] == 0xff && c.p[1] == 0x03) c.take(2);
  if (!c.has(2)) {
    out.oddities.add(Anomaly::pppoe_header_truncated, c.offset(), 2, c.cap);
    return done();
  }
  uint32_t protocol = c.p[0];
  if (protocol & 1) c.take(1);  // compressed protocol field (RFC 1661 §6.5)
  else protocol = be16(c.p), c.take(2);
  switch (protocol) {
    case 0x21: return to(Layer::ipv4);
    case 0x57: return to(Layer::ipv6);
    case 0x281: case 0x283: return to(Layer::mpls);
    default: out.frame_type = 0x50000 | protocol; return done();
  }
}

// RFC 3032. What is inside has no type: the first nibble tells, as everyone does; a zero word is a pseudowire's control word.
Next mpls(Cursor& c, Packet& out) {
  out.enter(Tunnel::mpls);
  for (;;) {
    if (!c.has(4)) {
      out.oddities.add(Anomaly::mpls_header_truncated, c.offset(), 4, c.cap);
      out.frame_type = 0x8847;
      return done();
    }
    bool bottom = c.p[2] & 1;
    c.take(4);
    if (bottom) break;
  }
  out.frame_type = 0x8847;
  if (!c.has(1)) return done();
  uint32_t nibble = c.p[0] >> 4;
  if (nibble == 4) return to(Layer::ipv4);
  if (nibble == 6) return to(Layer::ipv6);
  if (nibble == 0 && c.has(4 + 14)) {
    c.take(4);
    return to(Layer::ethernet);
  }
  if (c.has(14) && (be16(c.p + 12) == 0x0800 || be16(c.p + 12) == 0x86dd)) return to(Layer::ethernet);
  return done();
}

}  // namespace tf
