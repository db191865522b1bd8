// IPv4, IPv6 with extension headers, and the tunnels that carry another packet.
#include "bytes.h"
#include "dissect.h"
#include "layers.h"

namespace tf {
namespace {

// Does an IP header of this version that makes sense stand here? Enough to tell a tunnel from its outer flow.
bool looks_like_ip(const Cursor& c, uint32_t version) {
  if (!c.has(1) || c.p[0] >> 4 != version) return false;
  if (version == 4) return c.has(20) && (c.p[0] & 15) >= 5 && be16(c.p + 2) >= 20;
  return c.has(40);
}
bool looks_like_ethernet(const Cursor& c) {
  if (!c.has(14)) return false;
  switch (be16(c.p + 12)) {
    case 0x0800: case 0x86dd: case 0x0806: case 0x8100: case 0x88a8: case 0x8847: case 0x6558: case 0x88cc: case 0x8863: case 0x8864:
      return true;
    default: return be16(c.p + 12) <= 1500 && be16(c.p + 12) + 14u <= c.wire;
  }
}

Tunnel six_in_four(const uint8_t* inner) {
  if (be16(inner + 8) == 0x2002 || be16(inner + 24) == 0x2002) return Tunnel::sixto4;
  for (int at = 8; at <= 24; at += 16) {  // RFC 5214 §6.1: interface identifier [02]00:5efe and the IPv4 address
    uint32_t id = be32(inner + at + 8);
    if ((id & ~0x02000000u) == 0x00005efe) return Tunnel::isatap;
  }
  return Tunnel::sixin4;
}

void ipv4_options(const uint8_t* p, uint32_t len, uint32_t offset, Packet& out) {
  uint32_t i = 0;
  while (i < len) {
    uint32_t type = p[i];
    if (type == 0) return;
    if (type == 1) {
      i++;
      continue;
    }
    if (i + 2 > len || p[i + 1] < 2 || i + p[i + 1] > len) {
      out.oddities.add(Anomaly::ipv4_options_invalid, offset + i, i + 2 > len ? 2 : p[i + 1], len - i);
      return;
    }
    if (type == 131 || type == 137) out.oddities.add(Anomaly::ipv4_source_route, offset + i);
    i += p[i + 1];
  }
}

Next truncated(Cursor& c, Packet& out, Anomaly name, uint32_t needed) {
  out.oddities.add(name, c.offset(), needed, c.cap);
  return done();
}

void set_payload(Cursor& c, Packet& out) {
  out.payload = c.p;
  out.payload_cap = c.cap;
  out.payload_len = c.wire;
}

}  // namespace

Next ip_any(Cursor& c, Packet& out) {
  if (!c.has(1)) return truncated(c, out, Anomaly::ipv4_header_truncated, 20);
  uint32_t version = c.p[0] >> 4;
  if (version == 4) return to(Layer::ipv4);
  if (version == 6) return to(Layer::ipv6);
  out.oddities.add(Anomaly::ip_version_invalid, c.offset());
  return done();
}

Next ipv4(Cursor& c, Packet& out) {
  if (!c.has(20)) return truncated(c, out, Anomaly::ipv4_header_truncated, 20);
  const uint8_t* p = c.p;
  if (p[0] >> 4 != 4) {
    out.oddities.add(Anomaly::ip_version_invalid, c.offset());
    return done();
  }
  uint32_t header = (p[0] & 15) * 4u, total = be16(p + 2);
  if (header < 20) {
    out.oddities.add(Anomaly::ipv4_header_length_invalid, c.offset(), 20, header);
    return done();
  }
  if (total == 0) total = c.wire;  // segmentation offload: the card fills it in
  if (total < header) {
    out.oddities.add(Anomaly::ipv4_total_length_invalid, c.offset(), header, total);
    total = c.wire < header ? header : c.wire;
  }
  if (total > c.wire) {
    out.oddities.add(Anomaly::ipv4_length_past_end, c.offset(), total, c.wire);
    c.wire = total;
  }
  c.limit(total);
  if (!c.has(header)) return truncated(c, out, Anomaly::ipv4_header_truncated, header);
  out.version = 4;
  out.source = ipv4_address(p + 12);
  out.destination = ipv4_address(p + 16);
  out.ip_bytes = total;
  out.ip_header = p;
  if (header > 20) ipv4_options(p + 20, header - 20, c.offset() + 20, out);
  if (checksum_fold(checksum_add(p, header, 0)) != 0xffff) {
    out.oddities.add(be16(p + 10) == 0 ? Anomaly::checksum_offloaded : Anomaly::ipv4_checksum_bad, c.offset() + 10);
  }
  uint32_t protocol = p[9], fragment = be16(p + 6);
  c.take(header);
  if (fragment & 0x3fff) {
    out.carries = Carries::fragment;
    out.protocol = static_cast<uint8_t>(protocol);
    out.fragment_id = be16(p + 4);
    out.fragment_offset = (fragment & 0x1fff) * 8;
    out.fragment_more = fragment & 0x2000;
    set_payload(c, out);
    return done();
  }
  return to(Layer::ip_protocol, protocol);
}

// RFC 8200 §4: the chain of extension headers, to the upper layer or to a fragment header.
Next ipv6(Cursor& c, Packet& out) {
  if (!c.has(40)) return truncated(c, out, Anomaly::ipv6_header_truncated, 40);
  const uint8_t* p = c.p;
  if (p[0] >> 4 != 6) {
    out.oddities.add(Anomaly::ip_version_invalid, c.offset());
    return done();
  }
  uint32_t length = be16(p + 4), head = p[6];
  bool jumbo = length == 0;  // a jumbogram (RFC 2675) or segmentation offload: the frame tells
  if (!jumbo && length + 40 > c.wire) {
    out.oddities.add(Anomaly::ipv6_length_past_end, c.offset(), length + 40, c.wire);
    c.wire = length + 40;
  }
  if (!jumbo) c.limit(length + 40);
  out.version = 6;
  out.source = ipv6_address(p + 8);
  out.destination = ipv6_address(p + 24);
  out.ip_bytes = c.wire;
  out.ip_header = p;
  c.take(40);
  for (int headers = 0; headers < kMaxLayers; headers++) {
    if (head == 44) {
      if (!c.has(8)) break;
      uint32_t word = be16(c.p + 2), next = c.p[0];
      if ((word & 0xfff9) == 0) {  // an atomic fragment (RFC 6946) is whole
        head = next;
        c.take(8);
        continue;
      }
      out.carries = Carries::fragment;
      out.protocol = out.fragment_head = static_cast<uint8_t>(next);
      out.fragment_id = be32(c.p + 4);
      out.fragment_offset = word & 0xfff8;
      out.fragment_more = word & 1;
      c.take(8);
      set_payload(c, out);
      return done();
    }
    bool extension = head == 0 || head == 43 || head == 60 || head == 135 || head == 139 || head == 140;
    if (!extension && head != 51) return to(Layer::ip_protocol, head);
    if (!c.has(8)) break;
    uint32_t size = head == 51 ? (c.p[1] + 2) * 4u : (c.p[1] + 1) * 8u;
    if (!c.has(size)) break;
    if (head == 43 && c.p[2] == 0) out.oddities.add(Anomaly::ipv6_routing_type0, c.offset());
    head = c.p[0];
    c.take(size);
  }
  out.oddities.add(Anomaly::ipv6_extension_truncated, c.offset(), 8, c.cap);
  out.carries = Carries::ip;
  out.protocol = static_cast<uint8_t>(head);
  set_payload(c, out);
  return done();
}

// What the IP payload is, by IANA protocol number: a tunnel is opened, the rest is the packet's transport. IPv6 extension headers
// after a reassembled fragment come through here too.
Next ip_protocol(uint32_t protocol, Cursor& c, Packet& out) {
  out.carries = Carries::ip;
  out.protocol = static_cast<uint8_t>(protocol);
  set_payload(c, out);
  switch (protocol) {
    case 4:
      if (!looks_like_ip(c, 4)) return done();
      out.enter(out.version == 6 ? Tunnel::fourin6 : Tunnel::ipip);
      return to(Layer::ipv4);
    case 41:
      if (!looks_like_ip(c, 6)) return done();
      out.enter(out.version == 6 ? Tunnel::sixin6 : six_in_four(c.p));
      return to(Layer::ipv6);
    case 47: return gre(c, out);
    case 51:
      if (c.has(12) && c.has((c.p[1] + 2) * 4u)) {
        uint32_t next = c.p[0];
        c.take((c.p[1] + 2) * 4u);
        return to(Layer::ip_protocol, next);
      }
      return done();
    case 0: case 43: case 60: case 135:
      if (out.version == 6 && c.has(8) && c.has((c.p[1] + 1) * 8u)) {
        uint32_t next = c.p[0];
        c.take((c.p[1] + 1) * 8u);
        return to(Layer::ip_protocol, next);
      }
      return done();
    case 97:  // EtherIP (RFC 3378)
      if (c.has(2) && be16(c.p) == 0x3000) {
        c.take(2);
        if (!looks_like_ethernet(c)) return done();
        out.enter(Tunnel::etherip);
        return to(Layer::ethernet);
      }
      return done();
    case 137: return c.has(4) ? to(Layer::mpls) : done();
    case 17: {
      Next next = done();
      if (c.has(8)) {
        Cursor inner = c;
        inner.take(8);
        if (udp_tunnel(be16(c.p), be16(c.p + 2), inner, out, next)) {
          c = inner;
          return next;
        }
      }
      return done();
    }
    default: return done();
  }
}

// RFC 2784, 2890, 1701 (routing), 2637 (version 1, PPTP); ERSPAN I–III.
Next gre(Cursor& c, Packet& out) {
  if (!c.has(4)) return truncated(c, out, Anomaly::gre_header_truncated, 4);
  uint32_t flags = be16(c.p), type = be16(c.p + 2), version = flags & 7, size = 4;
  if (version > 1) return done();
  if (flags & 0xc000 && version == 0) size += 4;
  if (flags & 0x2000) size += 4;
  if (flags & 0x1000) size += 4;
  if (version == 1 && flags & 0x0080) size += 4;
  if (!c.has(size)) return truncated(c, out, Anomaly::gre_header_truncated, size);
  Cursor inner = c;
  inner.take(size);
  if (version == 0 && flags & 0x4000) {
    for (int i = 0;; i++) {
      if (!inner.has(4) || i == kMaxLayers) return truncated(c, out, Anomaly::gre_header_truncated, size + 4);
      uint32_t len = inner.p[3];
      if (len == 0) {
        inner.take(4);
        break;
      }
      if (!inner.has(4 + len)) return truncated(c, out, Anomaly::gre_header_truncated, size + 4 + len);
      inner.take(4 + len);
    }
  }
  if (type == 0x883e) {  // WCCP: IPv4, in version 2 behind a redirect header (draft-mclaggan-wccp-v2rev1)
    if (!looks_like_ip(inner, 4) && inner.has(4)) inner.take(4);
    type = 0x0800;
  }
  bool erspan = type == 0x88be || type == 0x22eb;
  if (erspan) {
    uint32_t header = type == 0x22eb ? 12 : (flags & 0x1000 ? 8 : 0);
    if (type == 0x22eb && inner.has(12) && inner.p[11] & 1) header += 8;
    if (!inner.has(header + 14)) return done();
    inner.take(header);
    out.enter(Tunnel::erspan);
    c = inner;
    return to(Layer::ethernet);
  }
  bool opens = (type == 0x0800 && looks_like_ip(inner, 4)) || (type == 0x86dd && looks_like_ip(inner, 6)) ||
               (type == 0x6558 && looks_like_ethernet(inner)) || (type == 0x880b && inner.has(2)) || type == 0x8847 || type == 0x0806 ||
               type == 0x8100;
  if (!opens) return done();
  out.enter(Tunnel::gre);
  c = inner;
  if (type == 0x880b) {  // an LCP or compressed PPP frame is no flow of its own: the GRE flow stands
    Cursor look = c;
    Packet ignored;
    if (ppp(look, ignored).layer.kind == Layer::done) return done();
  }
  return to(Layer::ethertype, type);
}

bool udp_tunnel(uint16_t source, uint16_t destination, Cursor& c, Packet& out, Next& next) {
  auto port = [&](uint16_t p) { return destination == p || source == p; };
  if (port(4789) || port(8472)) {  // RFC 7348 §5: what is reserved is ignored
    if (!c.has(8) || !(c.p[0] & 0x08)) return false;
    c.take(8);
    if (!looks_like_ethernet(c)) return false;
    out.enter(Tunnel::vxlan);
    next = to(Layer::ethernet);
    return true;
  }
  if (port(4790)) {  // VXLAN-GPE: the next protocol is named
    if (!c.has(8) || (c.p[0] & 0xc8) != 0x08) return false;
    uint32_t kind = c.p[3];
    c.take(8);
    if (kind == 1 && looks_like_ip(c, 4)) next = to(Layer::ipv4);
    else if (kind == 2 && looks_like_ip(c, 6)) next = to(Layer::ipv6);
    else if (kind == 3 && looks_like_ethernet(c)) next = to(Layer::ethernet);
    else return false;
    out.enter(Tunnel::vxlan);
    return true;
  }
  if (port(6081)) {  // RFC 8926
    if (!c.has(8) || c.p[0] >> 6 != 0) return false;
    uint32_t size = 8 + (c.p[0] & 0x3f) * 4u, type = be16(c.p + 2);
    if (!c.has(size)) return false;
    c.take(size);
    if (!((type == 0x6558 && looks_like_ethernet(c)) || (type == 0x0800 && looks_like_ip(c, 4)) || (type == 0x86dd && looks_like_ip(c, 6))))
      return false;
    out.enter(Tunnel::geneve);
    next = to(Layer::ethertype, type);
    return true;
  }
  if (port(2152)) {  // 3GPP TS 29.281 §5: version 1, G-PDU
    if (!c.has(8) || (c.p[0] & 0xf0) != 0x30 || c.p[1] != 255) return false;
    bool optional = c.p[0] & 7;
    uint32_t size = 8 + (optional ? 4 : 0);
    if (!c.has(size)) return false;
    uint32_t extension = c.p[0] & 4 ? c.p[11] : 0;
    c.take(size);
    for (int i = 0; extension && i < kMaxLayers; i++) {
      if (!c.has(1) || c.p[0] == 0 || !c.has(c.p[0] * 4u)) return false;
      uint32_t len = c.p[0] * 4u;
      extension = c.p[len - 1];
      c.take(len);
    }
    if (!looks_like_ip(c, 4) && !looks_like_ip(c, 6)) return false;
    out.enter(Tunnel::gtp);
    next = to(Layer::ip_any);
    return true;
  }
  if (port(3544)) {  // RFC 4380 §5.1.1: authentication, then origin indication, both optional
    if (c.has(13) && be16(c.p) == 1) {
      uint32_t size = 4u + c.p[2] + c.p[3] + 9;
      if (!c.has(size)) return false;
      c.take(size);
    }
    if (c.has(8) && be16(c.p) == 0) c.take(8);
    if (!looks_like_ip(c, 6) || be16(c.p + 4) + 40u > c.wire) return false;
    out.enter(Tunnel::teredo);
    next = to(Layer::ipv6);
    return true;
  }
  if (port(1701)) {  // L2TPv2 data message (RFC 2661 §3.1)
    if (!c.has(6) || c.p[0] & 0x80 || (c.p[1] & 15) != 2) return false;
    uint32_t flags = c.p[0], size = 6 + (flags & 0x40 ? 2 : 0) + (flags & 0x08 ? 4 : 0);
    if (flags & 0x02) {  // Offset Size, and as many bytes of padding
      if (!c.has(size + 2)) return false;
      size += 2u + be16(c.p + size);
    }
    if (!c.has(size)) return false;
    c.take(size);
    Cursor look = c;
    Packet ignored;
    if (ppp(look, ignored).layer.kind == Layer::done) return false;
    out.enter(Tunnel::l2tp);
    next = to(Layer::ppp);
    return true;
  }
  return false;
}

}  // namespace tf
