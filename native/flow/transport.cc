#include "transport.h"

#include "../wire/bytes.h"
#include "../wire/digest.h"
#include "../wire/dissect.h"

namespace tf {
namespace {

uint32_t pseudo_header(const Packet& p, uint32_t length, uint8_t protocol) {
  uint8_t h[40] = {0};
  if (p.version == 4) {
    memcpy(h, p.source.bytes + 12, 4);
    memcpy(h + 4, p.destination.bytes + 12, 4);
    h[9] = protocol;
    put_be16(h + 10, static_cast<uint16_t>(length));
    return checksum_add(h, 12, 0);
  }
  memcpy(h, p.source.bytes, 16);
  memcpy(h + 16, p.destination.bytes, 16);
  put_be32(h + 32, length);
  h[39] = protocol;
  return checksum_add(h, 40, 0);
}

// SEMANTICS 13: what equals the pseudo-header's sum (with or without length), or 0, was left to the card; else wrong is wrong.
void judge(Packet& p, uint32_t at, uint32_t length, uint8_t protocol, Anomaly bad) {
  const uint8_t* d = p.payload;
  uint16_t sum = be16(d + at);
  uint32_t pseudo = pseudo_header(p, length, protocol);
  if (checksum_fold(checksum_add(d, length, pseudo)) == 0xffff) return;
  bool partial = sum == checksum_fold(pseudo) || sum == checksum_fold(pseudo_header(p, 0, protocol)) || sum == 0;
  p.oddities.add(partial ? Anomaly::checksum_offloaded : bad, at);
}

bool whole_payload(const Packet& p) { return p.payload_cap >= p.payload_len && !p.snapped; }

void tcp_options(const uint8_t* o, uint32_t len, Packet& p, Transport& t) {
  for (uint32_t i = 0; i < len;) {
    uint32_t kind = o[i];
    if (kind == 0) return;
    if (kind == 1) {
      i++;
      continue;
    }
    uint32_t size = i + 1 < len ? o[i + 1] : 0;
    if (size < 2 || i + size > len) {
      p.oddities.add(Anomaly::tcp_options_invalid, 20 + i, size < 2 ? 2 : size, len - i);
      return;
    }
    if (kind == 2 && size == 4) t.mss = be16(o + i + 2);
    if (kind == 3 && size == 3) t.window_scale = o[i + 2] > 14 ? 14 : o[i + 2];  // RFC 7323 §2.3
    i += size;
  }
}

void read_tcp(Packet& p, Transport& t, bool checksums) {
  const uint8_t* d = p.payload;
  if (p.payload_cap < 20) {
    if (p.payload_cap >= 4) t.sport = be16(d), t.dport = be16(d + 2), t.has_ports = true;
    p.oddities.add(Anomaly::tcp_header_truncated, 0, 20, p.payload_cap);
    return;
  }
  t.sport = be16(d), t.dport = be16(d + 2), t.has_ports = true;
  t.seq = be32(d + 4), t.ack = be32(d + 8);
  t.flags = d[13];
  t.window = be16(d + 14);
  t.urgent = be16(d + 18);
  uint32_t header = (d[12] >> 4) * 4u;
  if (header < 20 || header > p.payload_len) {
    p.oddities.add(Anomaly::tcp_data_offset_invalid, 12, 20, header);
    return;
  }
  t.whole = true;
  uint32_t here = header < p.payload_cap ? header : p.payload_cap;
  if (header > 20) tcp_options(d + 20, here - 20, p, t);
  t.data = d + here;
  t.data_cap = p.payload_cap - here;
  t.data_len = p.payload_len - header;
  if ((t.flags & (SYN | FIN)) == (SYN | FIN) || (t.flags & (SYN | RST)) == (SYN | RST)) p.oddities.add(Anomaly::tcp_flags_invalid, 13);
  if (checksums && whole_payload(p)) judge(p, 16, p.payload_len, 6, Anomaly::tcp_checksum_bad);
}

void read_udp(Packet& p, Transport& t, bool checksums) {
  const uint8_t* d = p.payload;
  if (p.payload_cap < 8) {
    if (p.payload_cap >= 4) t.sport = be16(d), t.dport = be16(d + 2), t.has_ports = true;
    p.oddities.add(Anomaly::udp_header_truncated, 0, 8, p.payload_cap);
    return;
  }
  t.sport = be16(d), t.dport = be16(d + 2), t.has_ports = t.whole = true;
  uint32_t length = be16(d + 4), available = p.payload_len;
  if (length == 0) length = available;  // a jumbogram or segmentation offload
  if (length < 8 || length > available) {
    p.oddities.add(Anomaly::udp_length_invalid, 4, length, available);
    length = length < 8 ? 8 : available;
  }
  t.data = d + 8;
  t.data_len = length - 8;
  t.data_cap = p.payload_cap - 8 < t.data_len ? p.payload_cap - 8 : t.data_len;
  bool given = be16(d + 6) != 0 || p.version == 6;  // RFC 768: 0, none was computed
  if (checksums && given && whole_payload(p) && p.protocol == 17) judge(p, 6, length, 17, Anomaly::udp_checksum_bad);
}

// The quoted packet behind the eight bytes of an ICMP error (RFC 792, RFC 4443 §3).
void read_quoted(const uint8_t* d, uint32_t len, Quoted& q) {
  if (len < 20) return;
  uint32_t header;
  if (d[0] >> 4 == 4) {
    header = (d[0] & 15) * 4u;
    if (header < 20) return;
    q.source = ipv4_address(d + 12);
    q.destination = ipv4_address(d + 16);
    q.protocol = d[9];
    if (be16(d + 6) & 0x1fff) header = len;
  } else if (d[0] >> 4 == 6 && len >= 40) {
    q.source = ipv6_address(d + 8);
    q.destination = ipv6_address(d + 24);
    q.protocol = d[6];
    header = 40;
    while ((q.protocol == 0 || q.protocol == 43 || q.protocol == 60) && header + 8 <= len) {
      q.protocol = d[header];
      header += (d[header + 1] + 1) * 8u;
    }
  } else {
    return;
  }
  q.legible = true;
  bool ports = q.protocol == 6 || q.protocol == 17 || q.protocol == 132;
  if (ports && header + 4 <= len) {
    q.sport = be16(d + header);
    q.dport = be16(d + header + 2);
    q.has_ports = true;
  } else if ((q.protocol == 1 || q.protocol == 58) && header + 2 <= len) {
    q.sport = d[header];
    q.dport = d[header + 1];
  }
}

void read_icmp(Packet& p, Transport& t, bool checksums) {
  const uint8_t* d = p.payload;
  if (p.payload_cap < 4) {
    p.oddities.add(Anomaly::icmp_header_truncated, 0, 4, p.payload_cap);
    return;
  }
  t.whole = true;
  t.icmp_type = d[0];
  t.icmp_code = d[1];
  bool v6 = t.kind == Kind::icmp6;
  uint8_t type = t.icmp_type;
  t.icmp_error = v6 ? type >= 1 && type <= 4 : type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
  t.icmp_has_id = (v6 ? type == 128 || type == 129 : type == 0 || type == 8 || (type >= 13 && type <= 18)) && p.payload_cap >= 8;
  if (t.icmp_has_id) {
    t.icmp_id = be16(d + 4);
    t.icmp_sequence = be16(d + 6);
  }
  if (t.icmp_error && p.payload_cap > 8) read_quoted(d + 8, p.payload_cap - 8, t.quoted);
  t.data = d;
  t.data_cap = p.payload_cap;
  t.data_len = p.payload_len;
  if (checksums && whole_payload(p) && (v6 ? p.version == 6 : p.version == 4)) {
    uint32_t seed = v6 ? pseudo_header(p, p.payload_len, 58) : 0;
    if (checksum_fold(checksum_add(d, p.payload_len, seed)) != 0xffff) p.oddities.add(Anomaly::icmp_checksum_bad, 2);
  }
}

const uint8_t kNoCounterpart = 255;
uint8_t counterpart(uint8_t protocol, uint8_t type) {
  if (protocol == 1) switch (type) {
      case 0: return 8;
      case 8: return 0;
      case 9: return 10;
      case 10: return 9;
      case 13: return 14;
      case 14: return 13;
      case 15: return 16;
      case 16: return 15;
      case 17: return 18;
      case 18: return 17;
      default: return kNoCounterpart;
    }
  switch (type) {
    case 128: return 129;
    case 129: return 128;
    case 130: return 131;
    case 131: return 130;
    case 133: return 134;
    case 134: return 133;
    case 135: return 136;
    case 136: return 135;
    case 139: return 140;
    case 140: return 139;
    case 144: return 145;
    case 145: return 144;
    default: return kNoCounterpart;
  }
}

std::string base64(const uint8_t* p, int len) {
  static const char* const set = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string s;
  uint32_t v = 0;
  int bits = 0;
  for (int i = 0; i < len; i++) {
    v = v << 8 | p[i];
    for (bits += 8; bits >= 6; bits -= 6) s += set[v >> (bits - 6) & 63];
  }
  if (bits) s += set[v << (6 - bits) & 63];
  while (s.size() % 4) s += '=';
  return s;
}

int compare(const Address& a, uint16_t port_a, const Address& b, uint16_t port_b) {
  int c = memcmp(a.bytes, b.bytes, 16);
  return c ? c : port_a < port_b ? -1 : port_a > port_b;
}

std::string community(const Address& s, const Address& d, uint8_t protocol, bool ports, uint16_t sport, uint16_t dport, bool ordered) {
  const Address *x = &s, *y = &d;
  if (!ordered && compare(s, sport, d, dport) > 0) {
    std::swap(x, y);
    std::swap(sport, dport);
  }
  uint8_t in[40] = {0};
  bool v4 = s.is4() && d.is4();
  uint32_t n = 2, size = v4 ? 4 : 16, skip = v4 ? 12 : 0;
  memcpy(in + n, x->bytes + skip, size);
  memcpy(in + n + size, y->bytes + skip, size);
  n += 2 * size;
  in[n] = protocol;
  n += 2;
  if (ports) {
    put_be16(in + n, sport);
    put_be16(in + n + 2, dport);
    n += 4;
  }
  uint8_t hash[20];
  sha1(in, n, hash);
  return "1:" + base64(hash, 20);
}

}  // namespace

void read_transport(Packet& p, Transport& t, bool checksums) {
  switch (p.protocol) {
    case 6: t.kind = Kind::tcp; return read_tcp(p, t, checksums);
    case 17: case 136: t.kind = Kind::udp; return read_udp(p, t, checksums);
    case 1: t.kind = Kind::icmp; return read_icmp(p, t, checksums);
    case 58: t.kind = Kind::icmp6; return read_icmp(p, t, checksums);
    case 132:
      t.kind = Kind::sctp;
      if (p.payload_cap >= 4) t.sport = be16(p.payload), t.dport = be16(p.payload + 2), t.has_ports = true;
      if (p.payload_cap < 12) p.oddities.add(Anomaly::sctp_header_truncated, 0, 12, p.payload_cap);
      else t.whole = true, t.data_len = p.payload_len - 12;
      return;
    case 33:  // DCCP: ports only
      if (p.payload_cap >= 4) t.sport = be16(p.payload), t.dport = be16(p.payload + 2), t.has_ports = true;
      return;
    default: return;
  }
}

FlowKey flow_key(const Packet& p, const Transport& t, bool* forward) {
  FlowKey k;
  uint16_t sport = t.sport, dport = t.dport;
  k.protocol = p.protocol;
  if ((t.kind == Kind::icmp || t.kind == Kind::icmp6) && t.whole) {
    // The type (of a request and its reply: the lower one), and the identifier or the code, stand in for ports on both sides.
    uint8_t other = counterpart(p.protocol, t.icmp_type);
    bool pair = other != kNoCounterpart;
    uint8_t low = pair && other < t.icmp_type ? other : t.icmp_type;
    sport = dport = static_cast<uint16_t>(low << 8 | (pair ? 0 : t.icmp_code));
    if (t.icmp_has_id) k.extra = 0x10000u | t.icmp_id;
    if (t.icmp_error) {
      k.sort = 1;
      uint8_t q[37] = {0};
      if (t.quoted.legible) {
        memcpy(q, t.quoted.source.bytes, 16);
        memcpy(q + 16, t.quoted.destination.bytes, 16);
        put_be16(q + 32, t.quoted.sport);
        put_be16(q + 34, t.quoted.dport);
        q[36] = t.quoted.protocol;
      }
      k.extra = index_hash(q, sizeof q);
    }
  }
  *forward = compare(p.source, sport, p.destination, dport) <= 0;
  k.a = *forward ? p.source : p.destination;
  k.b = *forward ? p.destination : p.source;
  k.port_a = *forward ? sport : dport;
  k.port_b = *forward ? dport : sport;
  return k;
}

FlowKey fragment_key(const Packet& p, bool* forward) {
  FlowKey k;
  *forward = compare(p.source, 0, p.destination, 0) <= 0;
  k.a = *forward ? p.source : p.destination;
  k.b = *forward ? p.destination : p.source;
  k.protocol = p.protocol;
  k.sort = 2;
  k.extra = p.fragment_id;
  return k;
}

uint32_t tuple_hash(const Address& source, uint16_t sport, const Address& destination, uint16_t dport, uint8_t protocol) {
  bool forward = compare(source, sport, destination, dport) <= 0;
  FlowKey k;
  k.a = forward ? source : destination;
  k.b = forward ? destination : source;
  k.port_a = forward ? sport : dport;
  k.port_b = forward ? dport : sport;
  k.protocol = protocol;
  return key_hash(k);
}

uint32_t key_hash(const FlowKey& key) { return index_hash(reinterpret_cast<const uint8_t*>(&key), sizeof key); }

std::string community_id(const Address& s, const Address& d, uint8_t protocol, uint16_t sport, uint16_t dport, bool ports) {
  return community(s, d, protocol, ports, sport, dport, false);
}

std::string community_id_icmp(const Address& s, const Address& d, uint8_t protocol, uint8_t type, uint8_t code) {
  uint8_t other = counterpart(protocol, type);
  bool one_way = other == kNoCounterpart;
  return community(s, d, protocol, true, type, one_way ? code : other, one_way);
}

std::string address_text(const Address& a) {
  char text[48];
  const uint8_t* b = a.bytes;
  if (a.is4()) {
    int n = 0;
    for (int i = 12; i < 16; i++) {
      uint8_t v = b[i];
      if (i > 12) text[n++] = '.';
      if (v >= 100) text[n++] = static_cast<char>('0' + v / 100);
      if (v >= 10) text[n++] = static_cast<char>('0' + v / 10 % 10);
      text[n++] = static_cast<char>('0' + v % 10);
    }
    return std::string(text, static_cast<size_t>(n));
  }
  uint16_t w[8];
  for (int i = 0; i < 8; i++) w[i] = be16(b + i * 2);
  int best = -1, best_len = 1;  // the longest run of zeros, of two or more, the first of equals (RFC 5952 §4.2)
  for (int i = 0; i < 8; i++) {
    int j = i;
    while (j < 8 && w[j] == 0) j++;
    if (j - i > best_len) best = i, best_len = j - i;
  }
  int n = 0;
  for (int i = 0; i < 8; i++) {
    if (i == best) {
      text[n++] = ':';
      text[n++] = ':';
      i += best_len - 1;
      continue;
    }
    if (i && text[n - 1] != ':') text[n++] = ':';
    bool begun = false;
    for (int shift = 12; shift >= 0; shift -= 4) {
      int v = w[i] >> shift & 15;
      if (v || begun || shift == 0) begun = true, text[n++] = "0123456789abcdef"[v];
    }
  }
  return std::string(text, static_cast<size_t>(n));
}

}  // namespace tf
