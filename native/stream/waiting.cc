// Segments that wait above a hole: sorted, disjoint; where they overlap, the policy decides.
#include "reassembly.h"

#include <algorithm>

namespace tf {
namespace {
Segment slice(const Segment& s, uint32_t from, uint32_t to) {
  Segment out{from, to - from, 0, s.from, s.to, {}, s.packet, s.time};
  uint32_t skip = from - s.seq;
  if (skip < s.have) {
    out.have = std::min(s.have - skip, out.len);
    out.bytes.assign(s.bytes.begin() + skip, s.bytes.begin() + skip + out.have);
  }
  return out;
}
}  // namespace

void Reassembly::put(Half& h, size_t at, Segment s) {
  h.waiting_bytes += s.len;
  waiting_total_ += s.have;
  h.waiting.insert(h.waiting.begin() + static_cast<std::ptrdiff_t>(at), std::move(s));
}

void Reassembly::remove(Half& h, size_t at) {
  h.waiting_bytes -= h.waiting[at].len;
  waiting_total_ -= h.waiting[at].have;
  h.waiting.erase(h.waiting.begin() + static_cast<std::ptrdiff_t>(at));
}

// Linux puts a segment that begins where one in its queue ends together with it (tcp_ooo_try_coalesce), unless it met one before that has its
// first byte: from then on they are one. It meets the oldest first: the root of its tree.
void Reassembly::coalesce(Half& h, Segment& s) {
  const Segment* met = nullptr;
  for (const Segment& o : h.waiting) {
    bool touches = seq_diff(o.from, s.from) <= 0 && seq_diff(s.from, o.to) <= 0;
    if (touches && (!met || o.packet < met->packet)) met = &o;
  }
  if (!met || met->to != s.from) return;
  uint32_t from = met->from, to = met->to;
  for (Segment& w : h.waiting)
    if (w.from == from && w.to == to) w.to = s.to;
  s.from = from;
}

// Among the bytes that wait, the policy decides; every difference is a conflict, whoever wins.
void Reassembly::insert(Flow& f, Half& h, Segment s) {
  if (policy_ == Overlap::linux_) coalesce(h, s);
  size_t i = 0;
  while (i < h.waiting.size() && seq_diff(h.waiting[i].seq + h.waiting[i].len, s.seq) <= 0) i++;
  while (s.len) {
    if (i == h.waiting.size() || seq_diff(h.waiting[i].seq, s.seq + s.len) >= 0) {
      put(h, i, std::move(s));
      return;
    }
    Segment& old = h.waiting[i];
    if (seq_diff(s.seq, old.seq) < 0) {
      uint32_t edge = old.seq, end = s.seq + s.len;
      Segment left = slice(s, s.seq, edge);
      s = slice(s, edge, end);
      put(h, i++, std::move(left));
      continue;
    }
    uint32_t end = s.seq + s.len, old_end = old.seq + old.len;
    uint32_t to = seq_diff(end, old_end) < 0 ? end : old_end;
    uint32_t skip = s.seq - old.seq, n = std::min({to - s.seq, s.have, old.have > skip ? old.have - skip : 0});
    if (n && memcmp(old.bytes.data() + skip, s.bytes.data(), n) != 0) {
      f.tcp->conflicts++;
      f.note(Anomaly::tcp_overlap_conflict, s.packet, s.time, s.seq - (h.has_isn ? h.isn + 1 : s.seq), s.to - s.from, old.to - old.from);
    }
    if (newer_segment_wins(policy_, old.from, old.to, s.from, s.to)) {
      // What wins is the newer segment's from now on: a third one is measured against it.
      Segment rest = slice(old, to, old_end), front = slice(old, old.seq, s.seq), won = slice(s, s.seq, to);
      size_t at = i;
      remove(h, at);
      if (front.len) put(h, at++, std::move(front));
      put(h, at++, std::move(won));
      if (rest.len) put(h, at, std::move(rest));
      i = at - 1;
    }
    s = slice(s, to, end);
    i++;
  }
}

}  // namespace tf
