// The first walk over a capture: records, filter, clock, and for each packet which flow it belongs to. It writes the packet index
// and keeps the accounting. One survey for a capture, whatever the number of shards.
#pragma once
#include <deque>
#include <map>
#include <unordered_map>

#include "../capture_file/walker.h"
#include "../filter/bpf.h"
#include "../flow/defrag.h"
#include "batch.h"

namespace tf {

struct Patch {
  uint64_t row;
  uint32_t hash, flags;
};

class Survey {
 public:
  struct Account {
    uint64_t read = 0, filtered = 0, duplicate = 0, undecodable[static_cast<int>(Undecodable::count)] = {0};
  };
  enum class Need { rows, bytes, program, end, not_a_capture };

  Survey(const uint64_t key[2], Overlap ip_overlap, uint64_t dedup_span) : defrag_(key, ip_overlap), dedup_(dedup_span) {}
  // Filters: with any program set, each link type of the capture needs its own.
  void filter(uint32_t linktype, Program program) { programs_[linktype] = std::move(program); }
  void filtering(bool on) { filtering_ = on; }

  // Only walks and filters: which packets there are, for those who look ahead of the survey proper.
  void scouting(bool on) { scouting_ = on; }
  // What hooks decided of the packets from `first` (counted from 0) on: 0 is kept, all else counts as filtered.
  void verdicts(const uint8_t* v, size_t n, uint64_t first) {
    verdicts_.assign(v, v + n);
    first_verdict_ = first;
  }

  // Walks records into `rows` until it is full, bytes run out, or a link type without a filter program is met (`linktype`).
  Need push(const uint8_t* data, size_t len, bool last, IndexRow* rows, uint32_t capacity, uint32_t* count);
  // Rows written earlier whose flow is known now. At the end of the capture every pending row has one.
  std::vector<Patch>& patches() { return patches_; }
  void finish();

  Walker walker;
  Account account;
  std::map<uint32_t, uint64_t> frames, linktypes;  // packets by ethertype (without IP), by link type
  uint64_t clock = 0, time_steps = 0;
  uint64_t fragment_limit() const { return defrag_.limit_hits; }
  uint64_t first_step_packet = 0;
  int64_t first_step_time = 0, first_time = 0, last_time = 0, min_time = 0, max_time = 0;
  uint32_t wanted_linktype = 0;

 private:
  void place(const Record& r, IndexRow& row);
  void tick(IndexRow& row);
  bool duplicate(const Packet& p, const IndexRow& row);
  void settle(const std::vector<uint64_t>& rows, uint32_t hash, uint16_t flags);
  void resolve(Packet& p, IndexRow* row, std::vector<uint64_t> rows, const IndexRow& at, int depth);

  Defrag defrag_;
  uint64_t dedup_;
  bool filtering_ = false, held_ = false, scouting_ = false;
  std::vector<uint8_t> verdicts_;
  uint64_t first_verdict_ = 0;
  Record record_;
  std::unordered_map<uint32_t, Program> programs_;
  std::vector<Patch> patches_;
  int64_t high_water_ = 0;
  bool started_ = false;
  struct Seen {
    uint64_t a, b;
    bool operator==(const Seen& o) const { return a == o.a && b == o.b; }
  };
  struct SeenHash {
    size_t operator()(const Seen& s) const { return s.a ^ s.b; }
  };
  std::unordered_map<Seen, uint64_t, SeenHash> seen_;
  std::deque<std::pair<Seen, uint64_t>> seen_order_;
};

}  // namespace tf
