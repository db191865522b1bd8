// The whole native way of a capture in memory: survey, then every shard's engine. Used by the tests, the corpus tool and the fuzzers.
#pragma once
#include <algorithm>
#include <vector>

#include "../engine/engine.h"
#include "../engine/survey.h"

namespace tf {

// A classic pcap in memory: microseconds, little-endian.
inline std::vector<uint8_t> pcap_head(uint8_t linktype) {
  return {0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, linktype, 0, 0, 0};
}
inline void pcap_add(std::vector<uint8_t>& file, uint32_t seconds, const uint8_t* p, size_t n) {
  const uint32_t words[4] = {seconds, 0, static_cast<uint32_t>(n), static_cast<uint32_t>(n)};
  const auto* w = reinterpret_cast<const uint8_t*>(words);
  file.insert(file.end(), w, w + 16);
  file.insert(file.end(), p, p + n);
}

struct Outcome {
  bool capture = false;
  uint64_t packets = 0, events = 0, flows = 0;
  std::vector<EventRow> rows;  // kept on demand
  std::vector<uint8_t> stream;  // bytes of data and datagram events, in order, on demand
};

inline Outcome run_capture(const uint8_t* data, size_t size, size_t window, uint32_t shards, Overlap policy = Overlap::linux_, bool keep = false,
                           const Program* filter = nullptr) {
  const uint64_t key[2] = {7, 11};
  Survey survey(key, policy, 0);
  if (filter) {
    survey.filtering(true);
    for (uint32_t l = 0; l < 300; l++) survey.filter(l, *filter);
  }
  std::vector<IndexRow> index, rows(512);
  uint64_t base = 0;
  size_t want = window;
  Outcome out;
  for (bool done = false; !done;) {
    size_t len = std::min(std::max(want, window), size - base);
    bool last = base + len == size;
    uint64_t at = base;
    for (bool more = true; more;) {
      uint32_t count = 0;
      auto need = survey.push(data + at, len - (at - base), last, rows.data(), static_cast<uint32_t>(rows.size()), &count);
      index.insert(index.end(), rows.begin(), rows.begin() + count);
      switch (need) {
        case Survey::Need::rows: at = survey.walker.consumed(); break;
        case Survey::Need::program: survey.filter(survey.wanted_linktype, *filter); break;
        case Survey::Need::not_a_capture: return out;
        case Survey::Need::end: more = false, done = true; break;
        case Survey::Need::bytes: more = false; want = survey.walker.needed(); break;
      }
    }
    uint64_t next = survey.walker.consumed();
    if (!done && last && next == base && want <= len) __builtin_trap();  // would never end
    base = next;
  }
  survey.finish();
  for (const Patch& p : survey.patches()) {
    index[p.row].hash = p.hash;
    index[p.row].flags = static_cast<uint16_t>((index[p.row].flags & ~kPending) | p.flags);
  }
  out.capture = true;
  out.packets = index.size();
  std::vector<uint32_t> linktypes;
  for (const Interface& i : survey.walker.interfaces) linktypes.push_back(i.linktype);

  std::vector<EventRow> event_rows(kReserveRows * 2);
  std::vector<double> closed(static_cast<size_t>(kColumns) * kReserveClosed * 4);
  std::vector<char> text(kReserveText * 2);
  std::vector<uint8_t> arena(kReserveArena * 2);
  for (uint32_t shard = 0; shard < shards; shard++) {
    Options o;
    o.shard = shard, o.shards = shards, o.tcp_overlap = o.ip_overlap = policy;
    Engine engine(o);
    engine.interfaces(linktypes);
    Batch b;
    b.rows = event_rows.data(), b.row_capacity = static_cast<uint32_t>(event_rows.size());
    b.closed = closed.data(), b.closed_capacity = static_cast<uint32_t>(closed.size() / kColumns);
    b.text = text.data(), b.text_capacity = static_cast<uint32_t>(text.size());
    b.arena = arena.data(), b.arena_capacity = static_cast<uint32_t>(arena.size());
    uint64_t win_base = 0, win_len = 0;
    auto take = [&] {
      out.events += b.row_count;
      for (uint32_t i = 0; i < b.row_count; i++) {
        const EventRow& r = b.rows[i];
        if (r.type == static_cast<uint32_t>(Event::close)) out.flows++;
        if (!keep) continue;
        out.rows.push_back(r);
        if (r.type == static_cast<uint32_t>(Event::data) || r.type == static_cast<uint32_t>(Event::datagram)) {
          const uint8_t* p = r.arena ? b.arena + r.offset : data + win_base + r.offset;
          out.stream.insert(out.stream.end(), p, p + r.length);
        }
      }
    };
    for (size_t from = 0; from < index.size();) {
      b.clear();
      uint32_t n = engine.push(index.data() + from, static_cast<uint32_t>(index.size() - from), from + 1, data + win_base, win_base, win_len, b);
      take();
      from += n;
      if (from < index.size() && (index[from].offset < win_base || index[from].offset + index[from].caplen > win_base + win_len)) {
        win_base = index[from].offset;
        win_len = std::min<uint64_t>(std::max<uint64_t>(window, index[from].caplen), size - win_base);
      }
    }
    for (bool done = false; !done;) {
      b.clear();
      done = engine.finish(survey.clock, b);
      take();
    }
  }
  return out;
}

}  // namespace tf
