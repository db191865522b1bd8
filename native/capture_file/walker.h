// Walks the records of a capture: classic pcap (µs, ns, both endians, modified) and pcapng. It sees windows of bytes, never a
// file: the caller feeds a window, takes records until the walker asks for more, and feeds again from `consumed()`.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tf {

constexpr uint32_t kMaxRecord = 16u << 20;    // a larger record is a broken one
constexpr uint32_t kPlausible = 262144;       // what libpcap allows as a snapshot length
constexpr size_t kMeasured = 256u << 10;      // bytes in which the size of heads shows
constexpr uint32_t kResyncBytes = 1u << 20;   // how far resync looks ahead, whatever the window
constexpr uint32_t kMaxComments = 1000;       // comments kept for a capture
constexpr uint32_t kMaxInterfaces = 65536;    // interfaces over all sections
constexpr uint64_t kMaxCounter = (1ULL << 53) - 1;  // larger ones count nothing: writers put all ones for what they do not know
constexpr uint64_t kNotTold = UINT64_MAX;

struct Interface {
  uint32_t linktype = 0, snaplen = 0, section = 0;
  uint64_t ticks = 1000000;  // ticks a second
  int64_t offset_s = 0;
  std::string name, description, filter, os;
  uint64_t received = kNotTold, dropped = kNotTold, os_dropped = kNotTold;  // by the interface's statistics block
};

struct Record {
  uint64_t offset = 0, data_offset = 0;  // of the record and of its packet bytes in the capture
  const uint8_t* data = nullptr;
  uint32_t caplen = 0, length = 0;  // captured, on the wire
  int64_t time = 0;                 // ns since 1970
  uint32_t interface = 0, linktype = 0;
  bool time_clamped = false, caplen_excess = false;
};

struct Comment {
  uint64_t packet;  // 0: of a section or interface
  std::string text;
};

class Walker {
 public:
  enum class Status { record, more, end, bad };
  enum class Format { unknown, pcap, pcapng };

  // Gives the walker bytes of the capture that begin at consumed(); `last` says that nothing follows them.
  void feed(const uint8_t* data, size_t len, bool last);
  Status next(Record& r);

  uint64_t consumed() const { return base_ + pos_; }
  size_t needed() const { return needed_; }  // bytes from consumed() on that the next step wants

  bool live = false;  // bytes come while they are captured: no more are asked for than the record at hand needs
  Format format = Format::unknown;
  bool big_endian = false, nanoseconds = false, modified = false;
  uint16_t version_major = 0, version_minor = 0;
  uint32_t sections = 0;
  std::vector<Interface> interfaces;
  std::vector<Comment> comments;
  std::map<uint32_t, uint64_t> skipped_blocks;  // pcapng blocks that are not packets, by type
  uint64_t names = 0, packet_drops = 0;
  uint64_t broken_records = 0, broken_bytes = 0, first_broken = 0;
  bool truncated = false;
  uint64_t truncated_at = 0;
  uint64_t packets = 0;

 private:
  Status next_pcap(Record& r);
  Status next_pcapng(Record& r);
  Status header();
  Status resync();
  Status cut_short();
  size_t left() const { return len_ - pos_; }
  const uint8_t* here() const { return data_ + pos_; }
  Status more(size_t needed);
  bool plausible(const uint8_t* p, size_t avail, bool* big, uint32_t* size, int64_t* near) const;
  bool chain(const uint8_t* p, size_t avail, int links, int64_t* near) const;
  size_t find_chain(size_t span);
  bool suspicious(const uint8_t* p) const;
  bool head_again(const uint8_t* p) const;
  size_t over_heads(const uint8_t* p, size_t at, size_t avail) const;
  // A classic record's lengths. Up to version 2.3 (and in DG/UX's 543) some wrote them in the other order.
  struct Lengths {
    uint32_t captured, sent;
  };
  Lengths lengths(const uint8_t* p) const {
    uint32_t one = u32(p + 8), other = u32(p + 12);
    bool old = (version_major == 2 && version_minor <= 3) || version_major == 543;
    return old && one > other ? Lengths{other, one} : Lengths{one, other};
  }
  bool whole_packet(const uint8_t* p) const { return u32(p + 8) == u32(p + 12); }
  void measure_heads();
  void remember(int64_t seconds);
  bool follows(const uint8_t* p, size_t size, size_t avail) const;
  uint64_t u64(const uint8_t* p) const;
  uint32_t u32(const uint8_t* p) const;
  uint16_t u16(const uint8_t* p) const;
  void read_pcap(const uint8_t* p, Record& r) const;
  bool read_block(const uint8_t* p, uint32_t size, uint64_t offset, Record& r) const;
  bool section_header(const uint8_t* p, size_t avail);
  void interface_block(const uint8_t* p, uint32_t size);
  void classic_interface(const uint8_t* p);
  void statistics_block(const uint8_t* p, uint32_t size);
  void packet_options(const uint8_t* p, const uint8_t* end);
  void comment(uint64_t packet, const uint8_t* p, uint32_t len);
  template <typename F>
  void options(const uint8_t* p, const uint8_t* end, F each) const;

  const uint8_t* data_ = nullptr;
  size_t len_ = 0, pos_ = 0, needed_ = 0;
  uint64_t base_ = 0;
  bool last_ = false, resyncing_ = false, measured_ = false;
  bool odd_headers_ = false;  // a header that made no sense had no better one near it: this file's are so
  uint64_t resync_from_ = 0;
  uint32_t magic_ = 0, interface_ = 0;  // of a classic capture: its first word, and the interface of the records that come
  uint32_t record_header_ = 16, section_interfaces_ = 0;  // first interface of the section
  size_t further_ = 64u << 20;  // bytes that may be looked at for a better chain than the first, in the whole capture
  int64_t previous_time_ = 0;
  int64_t known_[2] = {0, 0};  // seconds: around when the last records were, and where they jumped there, around when before; 0: none
};

}  // namespace tf
