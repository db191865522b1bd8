// One conversation: its key, both sides' counters, and for TCP both half-streams. What is plain stands in structures of its own, which a
// snapshot copies as they are.
#pragma once
#include <vector>

#include "../wire/snapshot.h"
#include "transport.h"

namespace tf {

constexpr uint64_t kSecond = 1000000000ULL;
constexpr uint64_t kTcpTimeout = 300 * kSecond, kClosedTimeout = 60 * kSecond, kOtherTimeout = 60 * kSecond;
constexpr uint64_t kFirstInterim = 5 * kSecond;

// Zeek's endpoint states.
enum class Endpoint : uint8_t { inactive, syn_sent, syn_ack_sent, partial, established, closed, reset };

// Bytes waiting above a hole; `have` of `len` bytes were captured.
struct Segment {
  uint32_t seq, len, have;
  uint32_t from, to;  // the segment as it was sent, for the overlap policy
  std::vector<uint8_t> bytes;
  uint64_t packet;
  int64_t time;
};

// Delivered bytes, kept until acknowledged so that a second copy can be compared.
struct Retained {
  uint32_t seq, len;
  const uint8_t* at;
  bool owned;
};

struct HalfPlain {
  bool synced = false, has_isn = false, has_ack = false, fin_seen = false, fin_done = false;
  bool maybe_probe = false;  // picked up with an empty segment: a keep-alive's number is one before the next
  uint32_t isn = 0, next = 0, highest = 0, acked = 0, fin_seq = 0;
  uint32_t window = 0;  // as advertised, scaled
  uint8_t scale = 0xff;
  uint16_t mss = 0;
  uint64_t stream = 0, missed = 0;  // bytes delivered or given up so far; of these given up
  uint32_t waiting_bytes = 0, hole_packets = 0;
  uint32_t retransmits = 0, out_of_order = 0;
  uint32_t retained_bytes = 0;
};
struct Half : HalfPlain {
  std::vector<Segment> waiting;  // sorted, disjoint
  std::vector<Retained> retained;
};

struct TcpPlain {
  Endpoint state[2] = {Endpoint::inactive, Endpoint::inactive};
  bool reset = false, fins_first = false;
  uint32_t conflicts = 0;
  int64_t syn_time = 0, ack_time = 0;
  bool syn_seen = false, synack_seen = false, ack_seen = false;
};
struct Tcp : TcpPlain {
  Half half[2];
};

struct Note {
  Anomaly name;
  uint64_t count, packet;
  int64_t time;
  uint32_t offset, needed, had;
};

struct SideCount {
  uint64_t packets = 0, bytes = 0, payload = 0;
  uint8_t flags = 0;
  uint32_t letters = 0;  // history letters already written
};

// A flow's place in the table.
struct LinkPlain {
  uint64_t hash = 0, last_clock = 0;
  uint32_t slot = 0, serial = 0;
  uint8_t list = 0xff;
  bool packed = false;
};
struct Link : LinkPlain {
  Link *chain = nullptr, *older = nullptr, *newer = nullptr;  // hash chain; order of last packets
};

struct FlowPlain {
  FlowKey key;
  Kind kind = Kind::other;
  uint8_t version = 4, icmp_type = 0, icmp_code = 0, vlans = 0, tunnels = 0, history_len = 0;
  bool side0_forward = true, opened = false, forgotten = false, dirty = false, has_mac = false, ports = false, mixed_vlan = false, fragment = false;
  bool stopped[2] = {false, false};
  uint64_t skip_to[2] = {0, 0};  // stream offset up to which data is not delivered
  uint16_t vlan[2] = {0, 0};
  uint8_t mac[2][6] = {};
  Tunnel tunnel[kMaxTunnels] = {};
  char history[26] = {};
  uint32_t interface = 0;
  uint64_t first_packet = 0;
  uint64_t interim_at = 0;  // clock of the next interim record
  bool end_told = false;    // an interim record told that both sides ended
  int64_t first_time = 0, start = 0, end = 0;
  SideCount side[2];
};
struct Flow : Link, FlowPlain {
  Tcp* tcp = nullptr;
  std::vector<Note> notes;

  uint64_t timeout() const {
    if (kind != Kind::tcp || !tcp) return kOtherTimeout;
    return tcp->reset || tcp->fins_first ? kClosedTimeout : kTcpTimeout;
  }
  const Address& address(int s) const { return (s == 0) == side0_forward ? key.a : key.b; }
  uint16_t port(int s) const { return (s == 0) == side0_forward ? key.port_a : key.port_b; }
  void note(Anomaly name, uint64_t packet, int64_t time, uint32_t offset = 0, uint32_t needed = 0, uint32_t had = 0) {
    for (Note& n : notes)
      if (n.name == name) {
        n.count++;
        return;
      }
    notes.push_back({name, 1, packet, time, offset, needed, had});
  }
  void letter(int s, char c) {  // c in a–z; upper case for side 0
    uint32_t bit = 1u << (c - 'a');
    if (side[s].letters & bit || history_len >= sizeof history) return;
    side[s].letters |= bit;
    history[history_len++] = s == 0 ? static_cast<char>(c - 32) : c;
  }
};

}  // namespace tf
