// Transport headers of one packet: TCP with options, UDP, ICMP, ICMPv6, SCTP; and the flow key that they give.
#pragma once
#include <string>

#include "../wire/packet.h"

namespace tf {

enum class Kind : uint8_t { other, tcp, udp, icmp, icmp6, sctp };

enum TcpFlag : uint8_t { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32, ECE = 64, CWR = 128 };

// What an ICMP error quotes of the packet it answers, as far as legible.
struct Quoted {
  bool legible = false, has_ports = false;
  Address source, destination;
  uint16_t sport = 0, dport = 0;
  uint8_t protocol = 0;
};

struct Transport {
  Kind kind = Kind::other;
  bool whole = false;  // the header is there
  bool has_ports = false;
  uint16_t sport = 0, dport = 0;
  const uint8_t* data = nullptr;  // what follows the header
  uint32_t data_cap = 0, data_len = 0;
  uint32_t seq = 0, ack = 0;
  uint16_t window = 0, urgent = 0, mss = 0;
  uint8_t flags = 0, window_scale = 0xff;  // 0xff: no such option
  uint8_t icmp_type = 0, icmp_code = 0;
  bool icmp_error = false, icmp_has_id = false;
  uint16_t icmp_id = 0, icmp_sequence = 0;
  Quoted quoted;
};

// Reads the header behind `p.payload`; oddities go to the packet. With `checksums` they are judged too (SEMANTICS 13).
void read_transport(Packet& p, Transport& t, bool checksums);

// Direction-free: (a, port a) is the lower endpoint.
struct FlowKey {
  Address a, b;
  uint16_t port_a = 0, port_b = 0;
  uint8_t protocol = 0;
  uint8_t sort = 0;    // 0 tuple, 1 ICMP error with what it quotes, 2 fragments never completed
  uint16_t zero = 0;
  uint32_t extra = 0;  // sort 1: hash of the quoted tuple; sort 2: datagram id
  bool operator==(const FlowKey& o) const { return memcmp(this, &o, sizeof *this) == 0; }
};
static_assert(sizeof(FlowKey) == 44);

// Sets `forward` when the packet goes from a to b.
FlowKey flow_key(const Packet& p, const Transport& t, bool* forward);
FlowKey fragment_key(const Packet& p, bool* forward);
uint32_t key_hash(const FlowKey& key);
// The index hash of a flow that its addresses, ports and protocol name (TCP, UDP; neither ICMP nor fragments).
uint32_t tuple_hash(const Address& source, uint16_t sport, const Address& destination, uint16_t dport, uint8_t protocol);

// Community ID v1, seed 0; empty where the specification gives none (fragments).
std::string community_id(const Address& source, const Address& destination, uint8_t protocol, uint16_t sport, uint16_t dport, bool ports);
std::string community_id_icmp(const Address& source, const Address& destination, uint8_t protocol, uint8_t type, uint8_t code);

// RFC 5952 / dotted quad.
std::string address_text(const Address& a);

}  // namespace tf
