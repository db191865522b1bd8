// Puts IPv4 and IPv6 fragments together. State depends on the fragments of a datagram and the capture's clock alone.
#pragma once
#include <deque>
#include <memory>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "../stream/policy.h"
#include "../wire/packet.h"
#include "../wire/snapshot.h"

namespace tf {

constexpr uint64_t kFragmentTimeout = 60ULL * 1000000000;  // ns of clock, RFC 1122 §3.3.2
constexpr uint32_t kMaxFragments = 1024;                   // of one datagram
constexpr uint32_t kMaxDatagrams = 16384;                  // waiting in one process
constexpr uint64_t kMaxFragmentBytes = 64ULL << 20;        // waiting in one process

struct Piece {
  uint64_t packet;
  int64_t time;
  uint64_t clock;
  uint32_t ip_bytes, offset, len;
  uint32_t at;  // in Datagram::bytes
};

struct DatagramPlain {
  Packet head;         // of the first fragment to arrive; without the packet's bytes
  uint32_t total = 0;  // 0: the last fragment has not come
  uint64_t started = 0, serial = 0;
  bool overlap = false, discarded = false, complete = false;
  uint8_t protocol = 0;
  Oddities oddities;
};
struct Datagram : DatagramPlain {
  std::vector<Piece> pieces;
  std::vector<uint8_t> bytes;
  struct Range {
    uint32_t first, second;
    bool operator<(const Range& o) const { return first != o.first ? first < o.first : second < o.second; }
  };
  std::vector<Range> covered;  // disjoint [from, to), sorted
  std::vector<uint64_t> rows;  // of the packet index, where the survey asks for them
  std::vector<uint8_t> whole;  // the payload, once complete
};

class Defrag {
 public:
  explicit Defrag(const uint64_t key[2], Overlap policy) : hash_{{key[0], key[1]}}, policy_(policy) {}
  // Takes a fragment; returns the datagram when this one completed it (it leaves the table), else null.
  std::unique_ptr<Datagram> add(const Packet& p, uint64_t packet, int64_t time, uint64_t clock,
                                const std::vector<uint64_t>* rows = nullptr);
  // The datagram that this fragment would join but for its age, else null: it is given up now, and the fragment begins a new one.
  std::unique_ptr<Datagram> too_old(const Packet& p, uint64_t clock);
  // The oldest datagram that is to be given up at this clock (or for a limit, or `all`), else null.
  std::unique_ptr<Datagram> give_up(uint64_t clock, bool all);
  // `restore` wants an empty one.
  void save(SnapshotOut& out) const;
  void restore(SnapshotIn& in);
  uint64_t limit_hits = 0;

 private:
  struct Id {
    Address source, destination;
    uint32_t number;
    uint8_t version, protocol;  // RFC 8200 §4.5: IPv6 does not tell datagrams apart by protocol
    uint16_t none;
    bool operator==(const Id& o) const { return memcmp(this, &o, sizeof o) == 0; }
  };
  static_assert(std::has_unique_object_representations_v<Id>);  // compared and hashed as bytes
  struct Hash {
    uint64_t key[2];
    size_t operator()(const Id& id) const;
  };
  static Id id_of(const Packet& p);
  std::unique_ptr<Datagram> leave(std::unordered_map<Id, std::unique_ptr<Datagram>, Hash>::iterator it);
  void insert(Datagram& d, const Packet& p, Piece piece);
  void finish(Datagram& d);

  Hash hash_;
  Overlap policy_;
  std::unordered_map<Id, std::unique_ptr<Datagram>, Hash> table_{64, hash_};
  std::deque<std::pair<Id, uint64_t>> order_;
  uint64_t serial_ = 0, bytes_ = 0;
  uint64_t quiet_until_ = 0;  // for its age, nothing is given up before: datagrams wait in the order of their start
};

}  // namespace tf
