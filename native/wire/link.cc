// Link layers, by LINKTYPE_ number, and what stands between them and IP: Ethernet, VLAN, LLC/SNAP, PPP, PPPoE, MPLS, 802.11.
#include "bytes.h"
#include "layers.h"

namespace tf {
namespace {

LinkResult at(Layer::Kind kind, uint32_t value = 0) { return {true, false, 0, {kind, value}}; }
LinkResult cut(uint32_t needed) { return {true, true, needed, {Layer::done, 0}}; }

void frame(Packet& out, uint32_t type) { out.frame_type = type; }

// BSD address families as NULL/LOOP carry them: 2 is IPv4 everywhere, IPv6 has a number for each system.
LinkResult bsd_family(uint32_t family, Packet& out) {
  switch (family) {
    case 2: return at(Layer::ipv4);
    case 10: case 24: case 28: case 30: return at(Layer::ipv6);
    default: frame(out, 0x20000 | (family & 0xffff)); return at(Layer::done);
  }
}

// IEEE 802.11-2020 §9.2: only unprotected data frames are opened.
LinkResult ieee80211(Cursor& c, Packet& out, bool fcs) {
  if (!c.has(10)) return cut(10);
  const uint8_t* p = c.p;
  uint32_t type = p[0] >> 2 & 3, subtype = p[0] >> 4;
  bool to_ds = p[1] & 1, from_ds = p[1] & 2, order = p[1] & 0x80, qos = subtype & 8;
  if (type != 2 || subtype & 4 || p[1] & 0x40) {
    frame(out, 0x30000 | type << 8 | subtype);
    return at(Layer::done);
  }
  uint32_t header = 24u + (to_ds && from_ds ? 6 : 0) + (qos ? 2 : 0) + (qos && order ? 4 : 0);
  if (!c.has(header)) return cut(header);
  const uint8_t *da = p + 4, *sa = p + 10;
  if (to_ds) da = p + 16, sa = from_ds ? p + 24 : p + 10;
  else if (from_ds) sa = p + 16;
  memcpy(out.mac_destination, da, 6);
  memcpy(out.mac_source, sa, 6);
  out.has_mac = true;
  bool amsdu = qos && p[header - (order ? 6 : 2)] & 0x80;
  if (fcs && c.wire >= header + 4) c.limit(c.wire - 4);
  c.take(header);
  if (amsdu) {
    if (!c.has(14)) return cut(14);
    memcpy(out.mac_destination, c.p, 6);
    memcpy(out.mac_source, c.p + 6, 6);
    uint32_t len = be16(c.p + 12);
    c.take(14);
    c.limit(len);
  } else if (c.has(8) && be16(c.p) == 0 && c.p[2] == 0xaa) {
    c.take(2);  // some radios align the payload to four bytes
  }
  return at(Layer::llc);
}

LinkResult radiotap(Cursor& c, Packet& out) {
  if (!c.has(8)) return cut(8);
  uint32_t len = le16(c.p + 2);
  if (len < 8 || !c.has(len)) return cut(len < 8 ? 8 : len);
  // The flags field (bit 1) says whether an FCS stands at the end; padding is found by its zeros.
  uint32_t present = le32(c.p + 4), pos = 8;
  for (uint32_t word = present; word & 0x80000000u && pos + 4 <= len; pos += 4) word = le32(c.p + pos);
  bool fcs = false;
  if (present & 1) pos = ((pos + 7) & ~7u) + 8;
  if (present & 2 && pos < len) fcs = c.p[pos] & 0x10;
  c.take(len);
  return ieee80211(c, out, fcs);
}

LinkResult linux_sll(Cursor& c, Packet& out) {
  if (!c.has(16)) return cut(16);
  uint32_t hatype = be16(c.p + 2), halen = be16(c.p + 4), protocol = be16(c.p + 14);
  if (halen == 6) {
    memcpy(out.mac_source, c.p + 6, 6);
    memset(out.mac_destination, 0, 6);
    out.has_mac = true;
  }
  c.take(16);
  if (hatype == 824) {  // ARPHRD_NETLINK: the protocol is a netlink family
    frame(out, 0x60000 | protocol);
    return at(Layer::done);
  }
  if (protocol == 4) return at(Layer::llc);
  if (protocol == 1) { frame(out, 1); return at(Layer::done); }
  return at(Layer::ethertype, protocol);
}

LinkResult linux_sll2(Cursor& c, Packet& out) {
  if (!c.has(20)) return cut(20);
  uint32_t protocol = be16(c.p), halen = c.p[11];
  if (halen == 6) {
    memcpy(out.mac_source, c.p + 12, 6);
    memset(out.mac_destination, 0, 6);
    out.has_mac = true;
  }
  c.take(20);
  if (protocol == 4) return at(Layer::llc);
  return at(Layer::ethertype, protocol);
}

// Apple's PKTAP: a header of the length it names, then the link type that it names.
LinkResult pktap(Cursor& c, Packet& out) {
  if (!c.has(16)) return cut(16);
  uint32_t len = le32(c.p), type = le32(c.p + 4), dlt = le32(c.p + 8);
  if (len < 16 || !c.has(len)) return cut(len < 16 ? 16 : len);
  c.take(len);
  if (type == 0) return at(Layer::done);
  if (dlt == 149 || dlt == 258) return at(Layer::done);
  LinkResult inner = link_layer(dlt, c, out);
  return inner;
}

LinkResult ppi(Cursor& c, Packet& out) {
  if (!c.has(8)) return cut(8);
  uint32_t len = le16(c.p + 2), dlt = le32(c.p + 4);
  if (len < 8 || !c.has(len)) return cut(len < 8 ? 8 : len);
  bool fcs = false;  // PPI field 2 is 802.11-Common; bit 0 of its flags tells of an FCS
  for (uint32_t pos = 8; pos + 4 <= len;) {
    uint32_t type = le16(c.p + pos), size = le16(c.p + pos + 2);
    if (type == 2 && size >= 10 && pos + 14 <= len) fcs = le16(c.p + pos + 12) & 1;
    pos += 4 + size;
  }
  c.take(len);
  if (dlt == 105) return ieee80211(c, out, fcs);
  if (dlt == 192) return at(Layer::done);
  return link_layer(dlt, c, out);
}

LinkResult nflog(Cursor& c, Packet& out) {
  if (!c.has(4)) return cut(4);
  uint32_t family = c.p[0];
  c.take(4);
  while (c.has(4)) {  // TLVs in the capturing host's byte order; NFULA_PAYLOAD is 9
    uint32_t len = le16(c.p), type = le16(c.p + 2);
    if (len < 4) return at(Layer::done);
    if (type == 9) {
      c.take(4);
      c.limit(len - 4);
      if (family == 2) return at(Layer::ipv4);
      if (family == 10) return at(Layer::ipv6);
      if (family == 7) return at(Layer::ip_any);
      break;
    }
    uint32_t padded = (len + 3) & ~3u;
    if (!c.has(padded)) return at(Layer::done);
    c.take(padded);
  }
  frame(out, 0x20000 | family);
  return at(Layer::done);
}

LinkResult prism(Cursor& c, Packet& out) {
  if (!c.has(8)) return cut(8);
  uint32_t cookie = be32(c.p);
  uint32_t len = cookie == 0x80211001 || cookie == 0x80211002 ? be32(c.p + 4) : le32(c.p + 4);
  if (len < 8 || !c.has(len)) return cut(len < 8 ? 8 : len);
  c.take(len);
  return ieee80211(c, out, false);
}

LinkResult cisco_hdlc(Cursor& c) {
  if (!c.has(4)) return cut(4);
  uint32_t type = be16(c.p + 2);
  c.take(4);
  return at(Layer::ethertype, type);
}

// PPP in HDLC-like framing (RFC 1662); serial lines that are captured as PPP may carry Cisco's framing instead, with its own addresses.
LinkResult ppp_hdlc(Cursor& c) {
  if (!c.has(2)) return cut(2);
  if ((c.p[0] == 0x0f || c.p[0] == 0x8f) && c.p[1] == 0) return cisco_hdlc(c);
  return at(Layer::ppp);
}

LinkResult bsd_loopback(Cursor& c, Packet& out, bool big) {
  if (!c.has(4)) return cut(4);
  uint32_t family = big ? be32(c.p) : le32(c.p);
  if (!big && family > 0xffff) family = be32(c.p);
  c.take(4);
  return bsd_family(family, out);
}

LinkResult frame_relay(Cursor& c, Packet& out) {  // RFC 2427
  if (!c.has(4)) return cut(4);
  uint32_t address = 2;
  while (address < 4 && !(c.p[address - 1] & 1)) address++;
  if (!c.has(address + 2)) return cut(address + 2);
  if (address == 2 && be16(c.p + 2) == 0x0800) {  // Cisco encapsulation
    c.take(4);
    return at(Layer::ipv4);
  }
  c.take(address);
  if (c.p[0] != 3) { frame(out, 0x40000 | c.p[0]); return at(Layer::done); }
  c.take(c.p[1] == 0 ? 2 : 1);
  if (!c.has(1)) return at(Layer::done);
  uint32_t nlpid = c.p[0];
  c.take(1);
  if (nlpid == 0xcc) return at(Layer::ipv4);
  if (nlpid == 0x8e) return at(Layer::ipv6);
  if (nlpid == 0x80 && c.has(5)) {
    uint32_t type = be16(c.p + 3);
    c.take(5);
    return at(Layer::ethertype, type);
  }
  frame(out, 0x40000 | nlpid);
  return at(Layer::done);
}

LinkResult skip_then(Cursor& c, uint32_t bytes, Layer::Kind kind) {
  if (!c.has(bytes)) return cut(bytes);
  c.take(bytes);
  return at(kind);
}

}  // namespace

LinkResult link_layer(uint32_t linktype, Cursor& c, Packet& out) {
  switch (linktype) {
    case 1: return c.has(14) ? at(Layer::ethernet) : cut(14);
    case 0: return bsd_loopback(c, out, false);
    case 108: return bsd_loopback(c, out, true);
    case 12: case 14: case 101: return c.has(1) ? at(Layer::ip_any) : cut(1);
    case 228: return at(Layer::ipv4);
    case 229: return at(Layer::ipv6);
    case 9: case 50: return ppp_hdlc(c);
    case 51: return at(Layer::ethertype, 0x8864);
    case 166: case 204: return c.has(2) ? (c.take(linktype == 204 ? 1 : 2), ppp_hdlc(c)) : cut(2);  // PPP with direction
    case 104: return cisco_hdlc(c);
    case 105: return ieee80211(c, out, false);
    case 107: return frame_relay(c, out);
    case 113: return linux_sll(c, out);
    case 276: return linux_sll2(c, out);
    case 119: return prism(c, out);
    case 127: return radiotap(c, out);
    case 192: return ppi(c, out);
    case 149: case 258: return pktap(c, out);
    case 163: {  // AVS
      if (!c.has(8)) return cut(8);
      uint32_t len = be32(c.p + 4);
      if (len < 8 || !c.has(len)) return cut(len < 8 ? 8 : len);
      c.take(len);
      return ieee80211(c, out, false);
    }
    case 239: return nflog(c, out);
    case 100: case 11: return at(Layer::llc);                 // RFC 1483 ATM
    case 6: return skip_then(c, 14, Layer::llc);              // Token Ring without source routes
    case 10: return skip_then(c, 13, Layer::llc);             // FDDI
    case 8: return skip_then(c, 16, Layer::ip_any);           // SLIP with direction byte and compressed header room
    case 7: case 129: {  // ARCnet (RFC 1051, 1201): the protocol is one byte; Linux puts two bytes before it
      uint32_t kind_at = linktype == 7 ? 2 : 4;
      if (!c.has(kind_at + 1)) return cut(kind_at + 1);
      uint32_t kind = c.p[kind_at];
      if (kind == 240 || kind == 241) {  // RFC 1051: no fragmentation header
        c.take(kind_at + 1);
        return kind == 240 ? at(Layer::ipv4) : at(Layer::ethertype, 0x0806);
      }
      if (kind != 212 && kind != 213 && kind != 196) return out.frame_type = 0x70000 | kind, at(Layer::done);
      bool exception = c.has(kind_at + 2) && c.p[kind_at + 1] == 0xff;
      uint32_t header = kind_at + 1 + (exception ? 7 : 3);
      if (!c.has(header)) return cut(header);
      if (!exception && c.p[kind_at + 1] != 0) return out.frame_type = 0x70000 | kind, at(Layer::done);  // a link-layer fragment
      c.take(header);
      return kind == 212 ? at(Layer::ipv4) : kind == 196 ? at(Layer::ipv6) : at(Layer::ethertype, 0x0806);
    }
    case 109: return skip_then(c, 12, Layer::ip_any);         // ENC (OpenBSD IPsec)
    case 138: {                                               // IP over FireWire (RFC 2734)
      if (!c.has(18)) return cut(18);
      uint32_t type = be16(c.p + 16);
      c.take(18);
      return at(Layer::ethertype, type);
    }
    default: break;
  }
  return {false, false, 0, {Layer::done, 0}};
}

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
