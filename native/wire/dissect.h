// Link and network layers of one packet, tunnels opened on the way, down to the innermost IP payload. Pure: no state.
#pragma once
#include <vector>

#include "layers.h"
#include "packet.h"

namespace tf {

bool known_linktype(uint32_t linktype);
// A header that dissection came to, and the offset of its first byte.
struct Step {
  Layer layer;
  uint32_t at;
};
void dissect(uint32_t linktype, const uint8_t* data, uint32_t caplen, uint32_t length, Packet& out, std::vector<Step>* steps = nullptr);
// Goes on below an IP header whose payload was put together again by defragmentation.
void dissect_payload(const uint8_t* data, uint32_t len, Packet& out);
// RFC 1071 sum, unfolded parts allowed as seed.
uint32_t checksum_add(const uint8_t* p, uint32_t len, uint32_t sum);
uint16_t checksum_fold(uint32_t sum);

}  // namespace tf
