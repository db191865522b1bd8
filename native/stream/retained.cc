// Bytes that were delivered and not acknowledged yet: what comes again is compared with them.
#include "reassembly.h"

namespace tf {

void Reassembly::release(Half& h, uint32_t upto) {
  size_t n = 0;
  while (n < h.retained.size() && seq_diff(h.retained[n].seq + h.retained[n].len, upto) <= 0) {
    Retained& r = h.retained[n++];
    h.retained_bytes -= r.len;
    if (r.owned) {
      retained_total_ -= r.len;
      delete[] r.at;
    }
  }
  if (n) h.retained.erase(h.retained.begin(), h.retained.begin() + static_cast<std::ptrdiff_t>(n));
}

void Reassembly::retain(Flow& f, Half& h, uint32_t seq, const uint8_t* p, uint32_t len, bool in_window) {
  if (len == 0 || (h.has_ack && seq_diff(seq + len, h.acked) <= 0)) return;
  if (len > kMaxRetained) p += len - kMaxRetained, seq += len - kMaxRetained, len = kMaxRetained;
  if (!in_window) {
    auto* copy = new uint8_t[len];
    memcpy(copy, p, len);
    p = copy;
    retained_total_ += len;
  }
  h.retained.push_back({seq, len, p, !in_window});
  h.retained_bytes += len;
  f.dirty |= in_window;
  while (h.retained_bytes > kMaxRetained || h.retained.size() > kMaxRetainedSegments) {
    uint32_t first = h.retained.front().seq + h.retained.front().len;
    release(h, first);
  }
}

void Reassembly::keep(Flow& f) {
  f.dirty = false;
  if (!f.tcp) return;
  for (Half& h : f.tcp->half) {
    if (retained_total_ > kMaxRetainedTotal && h.retained_bytes) {
      retained_limit++;
      release(h, h.retained.back().seq + h.retained.back().len);
    }
    for (Retained& r : h.retained) {
      if (r.owned) continue;
      auto* copy = new uint8_t[r.len];
      memcpy(copy, r.at, r.len);
      r.at = copy;
      r.owned = true;
      retained_total_ += r.len;
    }
  }
}

void Reassembly::compare_delivered(Flow& f, Half& h, uint32_t seq, const uint8_t* p, uint32_t have, uint32_t len, uint64_t packet,
                                   int64_t time) {
  uint32_t compared = 0;
  for (const Retained& r : h.retained) {
    uint32_t from = seq_diff(r.seq, seq) > 0 ? r.seq : seq;
    uint32_t to = seq_diff(r.seq + r.len, seq + have) < 0 ? r.seq + r.len : seq + have;
    if (seq_diff(to, from) <= 0) continue;
    compared += to - from;
    if (memcmp(r.at + (from - r.seq), p + (from - seq), to - from) != 0) {
      f.tcp->conflicts++;
      f.note(Anomaly::tcp_overlap_conflict, packet, time, from - (h.has_isn ? h.isn + 1 : seq), len, r.len);
    }
  }
  if (compared < len) f.note(Anomaly::tcp_overlap_unverified, packet, time, 0, len, compared);
}

}  // namespace tf
