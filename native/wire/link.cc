// Link layers, by LINKTYPE_ number.
#include "bytes.h"
#include "layers.h"

namespace tf {
namespace {

// BSD address families as NULL/LOOP carry them: 2 is IPv4 everywhere, IPv6 has a number for each system.
LinkResult bsd_family(uint32_t family, Packet& out) {
  switch (family) {
    case 2: return at(Layer::ipv4);
    case 10: case 24: case 28: case 30: return at(Layer::ipv6);
    default: frame(out, 0x20000 | (family & 0xffff)); return at(Layer::done);
  }
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
    case 166: case 204: {                                     // PPP with direction
      uint32_t direction = linktype == 204 ? 1 : 2;
      if (!c.has(direction)) return cut(direction);
      c.take(direction);
      return ppp_hdlc(c);
    }
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

}  // namespace tf
