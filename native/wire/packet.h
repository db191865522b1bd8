// What dissection finds in one packet: the innermost IP tuple, what was around it, and the oddities met on the way.
#pragma once
#include <cstdint>
#include <cstring>

#include "anomaly.h"

namespace tf {

constexpr int kMaxLayers = 24, kMaxTunnels = 8;

enum class Tunnel : uint8_t {
  sixin4, sixto4, isatap, fourin6, ipip, sixin6, gre, erspan, vxlan, geneve, gtp, mpls, pppoe, teredo, etherip, l2tp, count
};
inline const char* tunnel_name(Tunnel t) {
  static const char* const names[] = {"6in4", "6to4", "isatap", "4in6", "4in4", "6in6", "gre", "erspan",
                                      "vxlan", "geneve", "gtp", "mpls", "pppoe", "teredo", "etherip", "l2tp"};
  return names[static_cast<int>(t)];
}

// Why a packet could not be decoded at all; the closed list of the accounting.
enum class Undecodable : uint8_t { none, unknown_link_type, truncated_link_header, count };
inline const char* undecodable_name(Undecodable u) {
  static const char* const names[] = {"none", "unknown-link-type", "truncated-link-header"};
  return names[static_cast<int>(u)];
}

struct Address {
  uint8_t bytes[16];  // IPv4 as ::ffff:a.b.c.d
  bool operator==(const Address& o) const { return memcmp(bytes, o.bytes, 16) == 0; }
  bool is4() const { return memcmp(bytes, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0; }
};
inline Address ipv4_address(const uint8_t* p) {
  Address a;
  memcpy(a.bytes, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
  memcpy(a.bytes + 12, p, 4);
  return a;
}
inline Address ipv6_address(const uint8_t* p) {
  Address a;
  memcpy(a.bytes, p, 16);
  return a;
}

enum class Carries : uint8_t { nothing, frame, arp, ip, fragment };

struct Packet {
  Carries carries = Carries::nothing;
  Undecodable undecodable = Undecodable::none;
  bool has_mac = false, snapped = false;  // snapped: fewer bytes captured than were on the wire
  uint8_t vlans = 0, tunnels = 0, version = 0, protocol = 0;
  uint8_t mac_source[6], mac_destination[6];
  uint16_t vlan[2];
  Tunnel tunnel[kMaxTunnels];
  uint32_t frame_type = 0;  // ethertype, or 0x10000 | LLC DSAP, for frames without IP
  Address source, destination;
  uint32_t ip_bytes = 0;              // innermost IP length
  const uint8_t* payload = nullptr;   // what follows the IP headers
  uint32_t payload_cap = 0, payload_len = 0;  // captured, and by the IP header
  bool reassembled = false;           // payload stands in the defragmenter's buffer
  const uint8_t* network = nullptr;   // outermost network header, for --dedup
  uint32_t network_cap = 0;
  // a fragment (carries == fragment)
  uint32_t fragment_id = 0, fragment_offset = 0;
  bool fragment_more = false;
  uint8_t fragment_head = 0;  // IPv6: next header named by the fragment header
  const uint8_t* ip_header = nullptr;
  uint8_t layers = 0;
  uint16_t interface = 0;
  Oddities oddities;

  void enter(Tunnel t) {
    if (tunnels < kMaxTunnels) tunnel[tunnels++] = t;
  }
};

}  // namespace tf
