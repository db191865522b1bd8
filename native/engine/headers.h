// The headers of single packets as rows of fixed size: what user hooks look at (docs/live.md).
#pragma once
#include <cstdint>

namespace tf {

struct HeaderRow {
  uint8_t source[16], destination[16];  // of the innermost IP header; IPv4 as ::ffff:a.b.c.d
  uint16_t sport, dport;
  uint8_t protocol, version, tcp_flags, bits;
  uint16_t vlan, zero;
  uint32_t frame_type;               // ethertype of frames without IP
  uint32_t payload_at, payload_len;  // of transport data, from the packet's first byte; as far as captured
};
static_assert(sizeof(HeaderRow) == 56);
enum HeaderBit : uint8_t { kHasIp = 1, kHasPorts = 2, kIsFragment = 4 };

void describe_packet(uint32_t linktype, const uint8_t* data, uint32_t caplen, uint32_t length, HeaderRow& out);

}  // namespace tf
