#include "headers.h"

#include "../flow/transport.h"
#include "../wire/dissect.h"

namespace tf {

void describe_packet(uint32_t linktype, const uint8_t* data, uint32_t caplen, uint32_t length, HeaderRow& out) {
  out = {};
  Packet p;
  dissect(linktype, data, caplen, length, p);
  if (p.undecodable != Undecodable::none) return;
  if (p.vlans) out.vlan = p.vlan[0];
  out.frame_type = p.frame_type;
  if (p.carries != Carries::ip && p.carries != Carries::fragment) return;
  out.bits = kHasIp;
  memcpy(out.source, p.source.bytes, 16);
  memcpy(out.destination, p.destination.bytes, 16);
  out.protocol = p.protocol;
  out.version = p.source.is4() ? 4 : 6;
  if (p.carries == Carries::fragment) {
    out.bits |= kIsFragment;
    return;
  }
  Transport t;
  read_transport(p, t, false);
  if (t.has_ports) {
    out.bits |= kHasPorts;
    out.sport = t.sport;
    out.dport = t.dport;
  }
  out.tcp_flags = t.flags;
  if (t.data >= data && t.data <= data + caplen) {
    out.payload_at = static_cast<uint32_t>(t.data - data);
    out.payload_len = t.data_cap;
  }
}

}  // namespace tf
