// What to make of bytes that are no whole record: which are the head of one, and where the chain of records goes on behind damage.
#include <algorithm>

#include "../wire/bytes.h"
#include "walker.h"

namespace tf {
namespace {
constexpr int64_t kDay = 86400;
constexpr int kChain = 3;                  // records that stand one after the other are taken for records
constexpr size_t kLookFurther = 128 << 10;  // for a better chain behind the first
// 0 stands for no time.
bool near(int64_t seconds, int64_t others) { return others && seconds >= others - kDay && seconds <= others + kDay; }
}  // namespace

// Could a record stand here? Used to find the chain of records again after a broken one. `near`: the time that a classic record's is to be
// within a day of, in seconds; where it is 0 any is, and it becomes this record's.
bool Walker::plausible(const uint8_t* p, size_t avail, bool* big, uint32_t* size, int64_t* near) const {
  if (format == Format::pcapng) {
    if (avail < 12) return false;
    uint32_t type = *big ? be32(p) : le32(p);
    if (type == 0x0a0d0d0a) {
      *big = be32(p + 8) == 0x1a2b3c4d;
      if (!*big && le32(p + 8) != 0x1a2b3c4d) return false;
    } else if (type == 0 || type > 0x0b) {
      return false;
    }
    uint32_t total = *big ? be32(p + 4) : le32(p + 4);
    if (total < 12 || total % 4 || total > kMaxRecord) return false;
    if (avail >= total && be32(p + 4) != be32(p + total - 4)) return false;
    *size = total;
    return true;
  }
  if (avail < record_header_) return false;
  uint32_t fraction = u32(p + 4);
  auto [caplen, length] = lengths(p);
  if (fraction >= (nanoseconds ? 1000000000u : 1000000u)) return false;
  if (caplen == 0 || caplen > kPlausible || length < caplen || length > kPlausible) return false;
  int64_t here = u32(p);
  if (*near == 0) *near = here;
  else if (!tf::near(here, *near)) return false;
  *size = static_cast<uint32_t>(over_heads(p, record_header_ + caplen, avail));
  return true;
}

// Where the next record begins: behind the heads of captures that stand at `at`.
size_t Walker::over_heads(const uint8_t* p, size_t at, size_t avail) const {
  while (avail >= at + 24 && head_again(p + at)) at += 24;
  return at;
}

// So many records stand here one after the other, or fewer up to the very end of the capture. `near`: see plausible.
bool Walker::chain(const uint8_t* p, size_t avail, int links, int64_t* near) const {
  bool big = big_endian;  // a section's header changes the order of what follows
  for (size_t at = 0; links > 0; links--) {
    uint32_t size = 0;
    if (!plausible(p + at, avail - at, &big, &size, near)) return false;
    at += size;
    if (at >= avail) return links == 1 || (at == avail && last_);
  }
  return true;
}

// How far from here a chain of records begins, less than `span`; 0: nowhere. One with times like those before the damage goes before one that
// is somewhat nearer: what was captured may hold a capture itself. But the times before may be the damage; then one of whole packets goes
// before one that begins in the middle of a head, where bytes of addresses stand for a length.
size_t Walker::find_chain(size_t span) {
  size_t first = 0, whole = 0;
  for (size_t skip = 1; skip < span; skip++) {
    int64_t when = 0;
    if (first && (skip - first > kLookFurther || further_ == 0)) break;
    if (first) further_--;
    if (!chain(here() + skip, left() - skip, kChain, &when)) continue;
    if (known_[0] == 0 || near(when, known_[0]) || near(when, known_[1])) return skip;
    if (!first) first = skip;
    if (!whole && format == Format::pcap && whole_packet(here() + skip)) whole = skip;
  }
  return whole ? whole : first;
}

// A header that few writers would write: a fraction of more than a second, more bytes than the packet had, a length beyond all packets, or a
// time far from those before.
bool Walker::suspicious(const uint8_t* p) const {
  int64_t seconds = u32(p);
  auto [captured, sent] = lengths(p);
  return u32(p + 4) >= (nanoseconds ? 1000000000u : 1000000u) || sent > kMaxRecord || captured > sent ||
         (known_[0] && !near(seconds, known_[0]) && !near(seconds, known_[1]));
}

void Walker::remember(int64_t seconds) {
  if (!near(seconds, known_[0])) known_[1] = known_[0];
  known_[0] = seconds;
}

// Behind a suspicious record (of this size, at `p`) stand two more, whatever their times, or fewer up to the end of the capture: so it is one.
// Where none of them is a whole packet it takes more of them: four bytes into their heads, multicast addresses look like lengths.
bool Walker::follows(const uint8_t* p, size_t size, size_t avail) const {
  bool big = big_endian, whole = whole_packet(p);
  size_t at = over_heads(p, size, avail);
  for (int links = 0; links < (whole ? 2 : 8); links++) {
    uint32_t next = 0;
    int64_t any = 0;
    if (last_ && at >= avail) return true;
    if (at > avail || !plausible(p + at, avail - at, &big, &next, &any)) return false;
    whole |= whole_packet(p + at);
    at += next;
  }
  return true;
}

Walker::Status Walker::resync() {
  const size_t want = 2 * kResyncBytes;  // candidates in the first half, their chains may reach into the second
  if (left() < want && !last_) return more(2 * want);  // and not again at once
  size_t span = std::min<size_t>(left(), kResyncBytes);
  if (size_t skip = find_chain(span)) {
    pos_ += skip;
    broken_bytes += consumed() - resync_from_;
    resyncing_ = false;
    return Status::record;
  }
  if (last_ && left() <= kResyncBytes) {
    broken_bytes += consumed() - resync_from_;
    truncated_at = resync_from_;
    truncated = true;
    broken_bytes += left();
    pos_ = len_;
    resyncing_ = false;
    return Status::end;
  }
  pos_ += span;
  return more(2 * want);
}

// Some systems around the year 2000 wrote longer heads of records under the same magic numbers (Red Hat 6.1, SuSE 6.3, Nokia IPSO): where the
// usual size leads nowhere and another one from record to record, it is that one.
void Walker::measure_heads() {
  const uint32_t usual = record_header_;
  const size_t avail = std::min(left(), kMeasured);
  int64_t any = 0;
  if (chain(here(), avail, 2, &any)) return;
  for (uint32_t size : {24, 20, 28, 16}) {
    record_header_ = size;
    any = 0;
    if (size == usual || !chain(here(), avail, 8, &any)) continue;
    size_t second = size + lengths(here()).captured;
    if (second < avail && second + size + lengths(here() + second).captured < avail) return;  // fewer than three tell nothing
  }
  record_header_ = usual;
}

}  // namespace tf
