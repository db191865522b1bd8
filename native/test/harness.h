// The whole native way of a capture in memory: survey, then every shard's engine. Used by the tests, the corpus tool and the fuzzers.
#pragma once
#include <algorithm>
#include <memory>
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
  std::string told;             // all that events and flows say, in words, on demand
  uint64_t sum = 0;  // over what all events tell, in any order
};

// An event in words; slots and places in buffers are nobody's business.
inline std::string in_words(const EventRow& r, const Batch& b) {
  static const char* const kinds[] = {"none", "open", "data", "gap", "end", "datagram", "frame", "note", "close", "interim"};
  static const char* const columns[] = {
#define TF_NAME(name) #name,
      TF_FLOW_COLUMNS(TF_NAME)
#undef TF_NAME
  };
  std::string s = kinds[r.type];
  auto add = [&](const char* name, double v) {
    if (v != 0) s += std::string(" ") + name + "=" + std::to_string(static_cast<int64_t>(v));
  };
  auto type = static_cast<Event>(r.type);
  if (type == Event::note) s += std::string(" ") + anomaly_text(static_cast<Anomaly>(r.extra)).name;
  if (r.text_length) s += " '" + std::string(b.text + r.text, r.text_length) + "'";
  if (type == Event::open) return s;
  if (type == Event::close) {
    for (uint32_t i = 0; i < kColumns; i++) add(columns[i], b.closed[r.offset * kColumns + i]);
    return s;
  }
  add("packet", r.packet), add("stream", r.stream), add("length", r.length), add("side", r.side), add("nanos", r.nanos);
  if (type == Event::note) add("offset", r.offset);
  else add("extra", r.extra);
  return s;
}

// The engine as another process would find it: written out, read back.
inline std::unique_ptr<Engine> carried_over(const Engine& from, const Options& o) {
  std::vector<uint8_t> bytes;
  SnapshotOut out([&](const uint8_t* p, size_t n) { bytes.insert(bytes.end(), p, p + n); });
  from.save(out);
  size_t at = 0;
  SnapshotIn in([&](std::vector<uint8_t>& into) {
    size_t n = std::min<size_t>(4096, bytes.size() - at);
    into.insert(into.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.begin() + static_cast<std::ptrdiff_t>(at + n));
    at += n;
    return n > 0;
  });
  auto to = std::make_unique<Engine>(o);
  if (!to->restore(in)) __builtin_trap();
  return to;
}

// `segment`: packets after which the engine is written out and read back.
inline Outcome run_capture(const uint8_t* data, size_t size, size_t window, uint32_t shards, Overlap policy = Overlap::linux_, bool keep = false,
                           const Program* filter = nullptr, size_t segment = SIZE_MAX, uint64_t interim = 0) {
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
  if (keep) {
    const Walker& w = survey.walker;
    out.told = "capture " + std::to_string(w.sections) + " sections, version " + std::to_string(w.version_major) + "." + std::to_string(w.version_minor);
    for (uint64_t v : {w.names, w.packet_drops, w.broken_records, w.broken_bytes, w.first_broken, w.truncated_at, static_cast<uint64_t>(w.truncated), static_cast<uint64_t>(w.skipped_blocks.size())})
      out.told += " " + std::to_string(v);
    for (const Interface& i : w.interfaces) {
      out.told += "\ninterface " + i.name + ":" + i.description + ":" + i.filter + ":" + i.os;
      for (uint64_t v : {static_cast<uint64_t>(i.linktype), static_cast<uint64_t>(i.snaplen), i.ticks, static_cast<uint64_t>(i.offset_s), i.received, i.dropped, i.os_dropped})
        out.told += " " + std::to_string(v);
    }
    for (const auto& [type, n] : survey.frames) out.told += "\nframes " + std::to_string(type) + " " + std::to_string(n);
    for (int i = 1; i < static_cast<int>(Undecodable::count); i++)
      if (uint64_t n = survey.account.undecodable[i]) out.told += std::string("\nundecodable ") + undecodable_name(static_cast<Undecodable>(i)) + " " + std::to_string(n);
    for (const Comment& c : w.comments) out.told += "\ncomment " + std::to_string(c.packet) + " " + c.text;
    out.told += "\n";
    for (const IndexRow& r : index) out.told += "packet at " + std::to_string(r.offset) + " time " + std::to_string(r.time) + " flags " + std::to_string(r.flags) + "\n";
  }
  out.packets = index.size();
  std::vector<uint32_t> linktypes;
  for (const Interface& i : survey.walker.interfaces) linktypes.push_back(i.linktype);

  static std::vector<EventRow> event_rows(kReserveRows * 2);
  static std::vector<double> closed(static_cast<size_t>(kColumns) * kReserveClosed * 4);
  static std::vector<char> text(kReserveText * 2);
  static std::vector<uint8_t> arena(kReserveArena * 2);
  for (uint32_t shard = 0; shard < shards; shard++) {
    Options o;
    o.shard = shard, o.shards = shards, o.tcp_overlap = o.ip_overlap = policy, o.interim = interim;
    o.quiet = 0;  // every flow is packed after every push
    auto engine = std::make_unique<Engine>(o);
    engine->interfaces(linktypes);
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
        // Slots and order of flows that end are nobody's business: they depend on how full a batch is.
        uint64_t length = r.type == static_cast<uint32_t>(Event::open) ? 0 : r.length, h = r.type;
        for (uint64_t v : {static_cast<uint64_t>(r.packet), static_cast<uint64_t>(r.stream), length, static_cast<uint64_t>(r.side),
                           static_cast<uint64_t>(r.extra), static_cast<uint64_t>(r.nanos)})
          h = (h ^ v) * 0x100000001b3ULL + 1;
        out.sum += h * h;
        if (!keep) continue;
        out.rows.push_back(r);
        out.told += in_words(r, b) + "\n";
        if (r.type == static_cast<uint32_t>(Event::data) || r.type == static_cast<uint32_t>(Event::datagram)) {
          const uint8_t* p = r.arena ? b.arena + r.offset : data + win_base + r.offset;
          out.stream.insert(out.stream.end(), p, p + r.length);
        }
      }
    };
    for (size_t from = 0, cut = std::min(segment, index.size()); from < index.size();) {
      b.clear();
      uint32_t n = engine->push(index.data() + from, static_cast<uint32_t>(cut - from), from + 1, data + win_base, win_base, win_len, b);
      take();
      from += n;
      if (from == cut && from < index.size()) {
        engine = carried_over(*engine, o);
        engine->interfaces(linktypes);
        cut = segment < index.size() - from ? from + segment : index.size();
      }
      if (from < index.size() && (index[from].offset < win_base || index[from].offset + index[from].caplen > win_base + win_len)) {
        win_base = index[from].offset;
        win_len = std::min<uint64_t>(std::max<uint64_t>(window, index[from].caplen), size - win_base);
      }
    }
    for (bool done = false; !done;) {
      b.clear();
      done = engine->finish(survey.clock, b);
      take();
    }
  }
  return out;
}

}  // namespace tf
