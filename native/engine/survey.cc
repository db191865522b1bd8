#include "survey.h"

#include <algorithm>

#include "../flow/transport.h"
#include "../wire/bytes.h"
#include "../wire/digest.h"
#include "../wire/dissect.h"

namespace tf {
namespace {
constexpr int64_t kStepBack = 3600LL * 1000000000;
constexpr uint64_t kClockEnd = UINT64_MAX - (1ull << 60);  // times that jump to and fro would wrap it after 584 years; timeouts are added to it
constexpr size_t kMaxSeen = 1u << 20;  // packets remembered for --dedup
constexpr size_t kMaxKinds = 4096;     // ethertypes counted apart
}  // namespace

// SEMANTICS 1: the clock grows by what time grows past its high water; a step back of more than an hour starts a new high water.
void Survey::tick(IndexRow& row) {
  if (!started_) {
    started_ = true;
    high_water_ = row.time;
  } else if (row.time < high_water_ - kStepBack) {
    high_water_ = row.time;
    if (time_steps++ == 0) first_step_packet = account.read, first_step_time = row.time;
  } else if (row.time > high_water_) {
    clock += std::min(static_cast<uint64_t>(row.time - high_water_), kClockEnd - clock);
    high_water_ = row.time;
  }
  row.clock = clock;
}

bool Survey::duplicate(const Packet& p, const IndexRow& row) {
  if (!dedup_ || !p.network || p.network_cap == 0) return false;
  uint8_t hash[32];
  sha256(p.network, p.network_cap, hash);
  Seen key{be64(hash), be64(hash + 8)};
  while (!seen_order_.empty() && (row.clock > seen_order_.front().second + dedup_ || seen_order_.size() > kMaxSeen)) {
    auto it = seen_.find(seen_order_.front().first);
    if (it != seen_.end() && it->second == seen_order_.front().second) seen_.erase(it);
    seen_order_.pop_front();
  }
  auto [it, fresh] = seen_.try_emplace(key, row.clock);
  bool repeated = !fresh && row.clock <= it->second + dedup_;
  if (!repeated) {
    it->second = row.clock;
    seen_order_.emplace_back(key, row.clock);
  }
  return repeated;
}

void Survey::settle(const std::vector<uint64_t>& rows, uint32_t hash, uint16_t flags) {
  for (uint64_t row : rows) patches_.push_back({row, hash, flags});
}

// Which flow: at once, or (a fragment) when its datagram is whole or given up. `row` is the packet's own, null once it is written.
void Survey::resolve(Packet& p, IndexRow* row, std::vector<uint64_t> rows, const IndexRow& at, int depth) {
  bool forward = false;
  if (p.carries == Carries::ip) {
    Transport t;
    read_transport(p, t, false);
    uint32_t hash = key_hash(flow_key(p, t, &forward));
    if (row) row->hash = hash;
    else settle(rows, hash, 0);
  } else if (p.carries == Carries::fragment && depth <= kMaxTunnels) {
    if (row) row->flags |= kPending;
    std::unique_ptr<Datagram> d = defrag_.add(p, 0, at.time, at.clock, &rows);
    if (!d) return;
    Packet whole = p;
    whole.protocol = d->protocol;
    dissect_payload(d->whole.data(), static_cast<uint32_t>(d->whole.size()), whole);
    resolve(whole, nullptr, std::move(d->rows), at, depth + 1);
  } else {
    if (row) row->flags |= kNoTuple;
    else settle(rows, 0, kNoTuple);
    if (frames.size() < kMaxKinds || frames.count(p.frame_type)) frames[p.frame_type]++;
  }
}

void Survey::place(const Record& r, IndexRow& row) {
  row.offset = r.data_offset;
  row.time = r.time;
  row.caplen = r.caplen;
  row.length = r.length;
  row.interface = static_cast<uint16_t>(r.interface);
  row.flags = static_cast<uint16_t>((r.time_clamped ? kTimeClamped : 0) | (r.caplen_excess ? kCaplenExcess : 0));
  row.hash = 0;
  row.clock = clock;
  if (account.read == 1) first_time = min_time = max_time = r.time;
  last_time = r.time;
  min_time = std::min(min_time, r.time);
  max_time = std::max(max_time, r.time);
  linktypes[r.linktype]++;
  uint64_t n = account.read - 1;
  bool hooked = n >= first_verdict_ && n - first_verdict_ < verdicts_.size() && verdicts_[n - first_verdict_] != 0;
  if (hooked || (filtering_ && run(programs_[r.linktype], r.data, r.caplen, r.length) == 0)) {
    row.flags |= kFiltered;
    account.filtered++;
    return;
  }
  if (scouting_) return;
  tick(row);
  while (std::unique_ptr<Datagram> d = defrag_.give_up(clock, false)) {
    bool forward = false;
    settle(d->rows, key_hash(fragment_key(d->head, &forward)), 0);
  }
  Packet p;
  dissect(r.linktype, r.data, r.caplen, r.length, p);
  if (p.undecodable != Undecodable::none) {
    row.flags |= kUndecodable;
    account.undecodable[static_cast<int>(p.undecodable)]++;
    return;
  }
  if (duplicate(p, row)) {
    row.flags |= kDuplicate;
    account.duplicate++;
    return;
  }
  resolve(p, &row, {account.read - 1}, row, 0);
}

Survey::Need Survey::push(const uint8_t* data, size_t len, bool last, IndexRow* rows, uint32_t capacity, uint32_t* count) {
  if (!held_) walker.feed(data, len, last);  // after Need::program the caller pushes the same window again, and the walk goes on
  *count = 0;
  while (*count < capacity) {
    if (!held_) {
      switch (walker.next(record_)) {
        case Walker::Status::record: break;
        case Walker::Status::more: return Need::bytes;
        case Walker::Status::end: return Need::end;
        case Walker::Status::bad: return Need::not_a_capture;
      }
    }
    held_ = filtering_ && !programs_.count(record_.linktype);
    if (held_) {
      wanted_linktype = record_.linktype;
      return Need::program;
    }
    account.read++;
    place(record_, rows[(*count)++]);
  }
  return Need::rows;
}

void Survey::finish() {
  while (std::unique_ptr<Datagram> d = defrag_.give_up(clock, true)) {
    bool forward = false;
    settle(d->rows, key_hash(fragment_key(d->head, &forward)), 0);
  }
}

}  // namespace tf
