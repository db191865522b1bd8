#include "walker.h"

#include <algorithm>

#include "../wire/bytes.h"

namespace tf {
namespace {
constexpr size_t kMaxHeads = 64;         // kinds of classic captures in one file
constexpr int64_t kMaxTime = INT64_MAX;

int64_t to_ns(uint64_t seconds, uint64_t ns, bool* clamped) {
  if (seconds > static_cast<uint64_t>(kMaxTime) / 1000000000ULL - 1) {
    *clamped = true;
    return kMaxTime;
  }
  return static_cast<int64_t>(seconds * 1000000000ULL + ns);
}
}  // namespace

uint64_t Walker::u64(const uint8_t* p) const { return big_endian ? be64(p) : static_cast<uint64_t>(le32(p + 4)) << 32 | le32(p); }
uint32_t Walker::u32(const uint8_t* p) const { return big_endian ? be32(p) : le32(p); }
uint16_t Walker::u16(const uint8_t* p) const { return big_endian ? be16(p) : le16(p); }

void Walker::feed(const uint8_t* data, size_t len, bool last) {
  base_ += pos_;
  data_ = data, len_ = len, pos_ = 0, last_ = last, needed_ = 0;
}

Walker::Status Walker::more(size_t needed) {
  needed_ = needed;
  return Status::more;
}

Walker::Status Walker::cut_short() {
  truncated = true;
  truncated_at = consumed();
  broken_bytes += left();
  pos_ = len_;
  return Status::end;
}

Walker::Status Walker::next(Record& r) {
  for (;;) {
    if (format == Format::unknown) {
      Status s = header();
      if (s != Status::record) return s;
    }
    if (resyncing_) {
      Status s = resync();
      if (s != Status::record) return s;
    }
    if (left() == 0) return last_ ? Status::end : more(record_header_);
    Status s = format == Format::pcap ? next_pcap(r) : next_pcapng(r);
    if (s == Status::record) {
      packets++;
      return s;
    }
    if (s != Status::bad) return s;
    if (!resyncing_) {  // next_* says bad: this record is broken, look for the next whole one
      resyncing_ = true;
      resync_from_ = consumed();
      if (broken_records++ == 0) first_broken = resync_from_;
    }
  }
}

Walker::Status Walker::header() {
  if (left() < 4) return last_ ? Status::bad : more(24);
  const uint8_t* p = here();
  uint32_t magic = be32(p);
  if (magic == 0x0a0d0d0a) {
    format = Format::pcapng;
    record_header_ = 12;
    return Status::record;
  }
  switch (magic) {
    case 0xa1b2c3d4: big_endian = true; break;
    case 0xd4c3b2a1: break;
    case 0xa1b23c4d: big_endian = nanoseconds = true; break;
    case 0x4d3cb2a1: nanoseconds = true; break;
    case 0xa1b2cd34: big_endian = modified = true; break;
    case 0x34cdb2a1: modified = true; break;
    default: return Status::bad;
  }
  if (left() < 24) {
    big_endian = nanoseconds = modified = false;
    return last_ ? Status::bad : more(24);
  }
  format = Format::pcap;
  magic_ = magic;
  version_major = u16(p + 4);
  version_minor = u16(p + 6);
  classic_interface(p);
  if (modified) record_header_ = 24;
  pos_ += 24;
  return Status::record;
}

void Walker::classic_interface(const uint8_t* p) {
  Interface i;
  i.linktype = u32(p + 20) & 0xffff;  // the upper bits carry the FCS length
  i.snaplen = u32(p + 16);
  i.ticks = nanoseconds ? 1000000000 : 1000000;
  for (interface_ = 0; interface_ < interfaces.size(); interface_++)
    if (interfaces[interface_].linktype == i.linktype && interfaces[interface_].snaplen == i.snaplen) return;
  interfaces.push_back(i);
}

// Classic captures of one kind that were written one behind the other (`cat`): the head of the next stands where a record would.
bool Walker::head_again(const uint8_t* p) const {
  return be32(p) == magic_ && u16(p + 4) == version_major && u16(p + 6) == version_minor && u32(p + 12) == 0 && u32(p + 16) != 0 &&
         interfaces.size() < kMaxHeads;
}

void Walker::read_pcap(const uint8_t* p, Record& r) const {
  uint64_t fraction = u32(p + 4);
  r.time_clamped = false;
  r.time = to_ns(u32(p), nanoseconds ? fraction : fraction * 1000, &r.time_clamped);
  auto [captured, sent] = lengths(p);
  r.caplen = captured;
  r.length = sent;
  r.data = p + record_header_;
  r.interface = interface_;
  r.linktype = interfaces[interface_].linktype;
  r.caplen_excess = r.caplen > r.length;
  if (r.caplen_excess) r.length = r.caplen;
}

Walker::Status Walker::next_pcap(Record& r) {
  if (!measured_ && !live) {
    if (left() < kMeasured && !last_) return more(kMeasured);
    measured_ = true;
    measure_heads();
  }
  for (; left() >= 4 && be32(here()) == magic_; pos_ += 24) {
    if (left() < 24 && !last_) return more(24);
    if (left() < 24 || !head_again(here())) break;
    classic_interface(here());
  }
  if (left() == 0) return last_ ? Status::end : more(record_header_);
  if (left() < record_header_) return last_ ? cut_short() : more(record_header_);
  const uint8_t* p = here();
  uint32_t caplen = lengths(p).captured;
  uint32_t limit = std::min(kMaxRecord, std::max(kPlausible, interfaces[interface_].snaplen));
  if (caplen > limit) return Status::bad;
  size_t whole = static_cast<size_t>(record_header_) + caplen;
  if (left() < whole) {
    if (!last_) return more(whole);
    // The file ends inside this record; unless its length is wrong and whole records follow, the file was cut here.
    return find_chain(std::min<size_t>(left(), kResyncBytes)) ? Status::bad : cut_short();
  }
  // Bytes in the middle of a record can look like the head of one.
  if (!odd_headers_ && suspicious(p)) {
    constexpr size_t kStep = 512;
    const size_t want = whole + 2 * kResyncBytes;
    if (!follows(p, whole, left())) {
      if (left() < want && !last_) return more(std::min(2 * want, 2 * left() + kStep));  // what comes live comes slowly
      if (find_chain(std::min<size_t>(left(), kResyncBytes))) return Status::bad;
      odd_headers_ = true;
    }
  }
  read_pcap(p, r);
  r.offset = consumed();
  r.data_offset = r.offset + record_header_;
  remember(u32(p));
  pos_ += whole;
  return Status::record;
}

template <typename F>
void Walker::options(const uint8_t* p, const uint8_t* end, F each) const {
  while (end - p >= 4) {
    uint16_t code = u16(p), len = u16(p + 2);
    if (code == 0 || end - p - 4 < len) return;
    each(code, p + 4, len);
    uint32_t padded = (len + 3u) & ~3u;
    if (static_cast<size_t>(end - p) < 4 + padded) return;
    p += 4 + padded;
  }
}

void Walker::comment(uint64_t packet, const uint8_t* p, uint32_t len) {
  if (comments.size() < kMaxComments) comments.push_back({packet, std::string(reinterpret_cast<const char*>(p), std::min(len, 4096u))});
}

bool Walker::section_header(const uint8_t* p, size_t avail) {
  if (avail < 28) return false;
  uint32_t order = be32(p + 8);
  if (order != 0x1a2b3c4d && order != 0x4d3c2b1a) return false;
  big_endian = order == 0x1a2b3c4d;
  if (sections == 0) {
    version_major = u16(p + 12);
    version_minor = u16(p + 14);
  }
  sections++;
  section_interfaces_ = static_cast<uint32_t>(interfaces.size());
  previous_time_ = 0;
  return true;
}

void Walker::interface_block(const uint8_t* p, uint32_t size) {
  if (size < 20 || interfaces.size() >= kMaxInterfaces) return;
  Interface i;
  i.linktype = u16(p + 8);
  i.snaplen = u32(p + 12);
  i.section = sections;
  options(p + 16, p + size - 4, [&](uint16_t code, const uint8_t* v, uint16_t len) {
    auto text = [&] { return std::string(reinterpret_cast<const char*>(v), std::min<size_t>(len, 1024)); };
    if (code == 1) comment(0, v, len);
    if (code == 2) i.name = text();
    if (code == 3) i.description = text();
    if (code == 12) i.os = text();
    if (code == 11 && len > 1) i.filter = std::string(reinterpret_cast<const char*>(v + 1), std::min(len - 1, 1024));
    if (code == 9 && len >= 1) {
      uint32_t e = v[0] & 0x7f;
      uint64_t ticks = 1;
      if (v[0] & 0x80) ticks = e < 63 ? 1ULL << e : 1ULL << 62;
      else
        for (uint32_t k = 0; k < std::min(e, 18u); k++) ticks *= 10;
      i.ticks = ticks;
    }
    if (code == 14 && len >= 8) {
      i.offset_s = static_cast<int64_t>(u64(v));
    }
  });
  interfaces.push_back(i);
}

void Walker::statistics_block(const uint8_t* p, uint32_t size) {
  if (size < 24) return;
  size_t n = section_interfaces_ + static_cast<size_t>(u32(p + 8));
  if (n >= interfaces.size()) return;
  Interface& i = interfaces[n];
  options(p + 20, p + size - 4, [&](uint16_t code, const uint8_t* v, uint16_t len) {
    if (code == 1) return comment(0, v, len);
    if (len < 8) return;
    uint64_t n64 = u64(v);
    if (n64 > kMaxCounter) return;
    if (code == 4) i.received = n64;
    if (code == 5) i.dropped = n64;
    if (code == 7) i.os_dropped = n64;
  });
}

void Walker::packet_options(const uint8_t* p, const uint8_t* end) {
  options(p, end, [&](uint16_t code, const uint8_t* v, uint16_t len) {
    if (code == 1) comment(packets + 1, v, len);
    if (code == 4 && len >= 8 && u64(v) <= kMaxCounter) packet_drops = std::min(packet_drops + u64(v), kMaxCounter);
  });
}

// EPB, PB and SPB (draft-ietf-opsawg-pcapng §4). False: the block does not hold what it says.
bool Walker::read_block(const uint8_t* p, uint32_t size, uint64_t offset, Record& r) const {
  uint32_t type = u32(p);
  r.offset = offset;
  r.time_clamped = false;
  if (type == 3) {
    if (size < 16 || section_interfaces_ >= interfaces.size()) return false;
    r.length = u32(p + 8);
    uint32_t snaplen = interfaces[section_interfaces_].snaplen;
    r.caplen = std::min(r.length, size - 16);
    if (snaplen) r.caplen = std::min(r.caplen, snaplen);
    r.data = p + 12;
    r.interface = section_interfaces_;
    r.time = previous_time_;
  } else {
    if (size < 32) return false;
    uint32_t n = type == 6 ? u32(p + 8) : u16(p + 8);
    if (n >= interfaces.size() - std::min<size_t>(section_interfaces_, interfaces.size())) return false;
    r.interface = section_interfaces_ + n;
    r.caplen = u32(p + 20);
    r.length = u32(p + 24);
    if (r.caplen > size - 32) return false;
    r.data = p + 28;
    const Interface& i = interfaces[r.interface];
    uint64_t raw = static_cast<uint64_t>(u32(p + 12)) << 32 | u32(p + 16);
    uint64_t seconds = raw / i.ticks;
    auto ns = static_cast<uint64_t>(static_cast<unsigned __int128>(raw % i.ticks) * 1000000000u / i.ticks);
    if (i.offset_s < 0 && seconds < static_cast<uint64_t>(-(i.offset_s + 1)) + 1) {
      r.time = 0;
      r.time_clamped = true;
    } else {
      r.time = to_ns(seconds + static_cast<uint64_t>(i.offset_s), ns, &r.time_clamped);
    }
  }
  r.linktype = interfaces[r.interface].linktype;
  r.data_offset = offset + static_cast<uint64_t>(r.data - p);
  r.caplen_excess = r.caplen > r.length;
  if (r.caplen_excess) r.length = r.caplen;
  return true;
}

Walker::Status Walker::next_pcapng(Record& r) {
  for (;;) {
    if (left() == 0) return last_ ? Status::end : more(12);
    if (left() < 12) return last_ ? cut_short() : more(12);
    const uint8_t* p = here();
    bool section = be32(p) == 0x0a0d0d0a;
    if (section) {
      uint32_t order = be32(p + 8);
      if (order != 0x1a2b3c4d && order != 0x4d3c2b1a) return Status::bad;
      big_endian = order == 0x1a2b3c4d;
    }
    uint32_t type = u32(p), size = u32(p + 4);
    if (size < 12 || size > kMaxRecord) return Status::bad;
    uint32_t padded = (size + 3) & ~3u;  // a length that is no multiple of four: written so by some, read so by others
    if (left() < size) {
      if (!last_) return more(padded);
      uint32_t again = 0;
      int64_t near = 0;
      for (size_t skip = 1; skip + 12 <= left() && skip < kResyncBytes; skip++)
        if (bool big = big_endian; plausible(p + skip, left() - skip, &big, &again, &near) && skip + again <= left()) return Status::bad;
      return cut_short();
    }
    if (u32(p + size - 4) != size) return Status::bad;
    bool packet = type == 6 || type == 3 || type == 2;
    if (section) {
      if (!section_header(p, size)) return Status::bad;
      options(p + 24, p + size - 4, [&](uint16_t code, const uint8_t* v, uint16_t len) {
        if (code == 1) comment(0, v, len);
      });
    } else if (sections == 0) {
      return Status::bad;
    } else if (type == 1) {
      interface_block(p, size);
    } else if (packet) {
      if (!read_block(p, size, consumed(), r)) return Status::bad;
      previous_time_ = r.time;
      size_t body = (type == 3 ? 12u : 28u) + ((static_cast<size_t>(r.caplen) + 3) & ~size_t{3});
      if (type != 3 && body + 8 <= size) packet_options(p + body, p + size - 4);
      pos_ += size;
      return Status::record;
    } else {
      if (type == 5) statistics_block(p, size);
      else if (skipped_blocks.size() < 256 || skipped_blocks.count(type)) skipped_blocks[type]++;
      if (type == 4) names++;
    }
    pos_ += size;
  }
}

}  // namespace tf
