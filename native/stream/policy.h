// Who wins where two copies of the same bytes overlap (Novak, Sturges: target-based reassembly). Ends are exclusive.
#pragma once
#include <cstdint>

#include "../wire/bytes.h"

namespace tf {

enum class Overlap : uint8_t { first, last, linux_, bsd, windows };

// Does the newer of two fragments win over the older one? Offsets in bytes.
inline bool newer_fragment_wins(Overlap policy, uint32_t old_from, uint32_t old_to, uint32_t from, uint32_t to) {
  switch (policy) {
    case Overlap::first: return false;
    case Overlap::last: return true;
    case Overlap::bsd: return from < old_from;
    case Overlap::linux_: return from <= old_from;
    case Overlap::windows: return from < old_from && to > old_to;
  }
  return false;
}

// The same for TCP segments that wait above a hole; positions are sequence numbers.
inline bool newer_segment_wins(Overlap policy, uint32_t old_from, uint32_t old_to, uint32_t from, uint32_t to) {
  switch (policy) {
    case Overlap::first: return false;
    case Overlap::last: return true;
    case Overlap::bsd: return seq_diff(from, old_from) < 0;
    case Overlap::linux_: return seq_diff(from, old_from) < 0 || (from == old_from && seq_diff(to, old_to) > 0);
    case Overlap::windows: return seq_diff(from, old_from) < 0 && seq_diff(to, old_to) > 0;
  }
  return false;
}

}  // namespace tf
