// Capture files: what their headers and blocks say.
#include <string>

#include "../capture_file/walker.h"
#include "check.h"

namespace tf {

// A pcapng block of either byte order: type, length, body padded to four bytes, length.
struct Blocks {
  bool big = false;
  std::vector<uint8_t> file;
  void u16(uint32_t v) {
    for (int i = 0; i < 2; i++) file.push_back(static_cast<uint8_t>(v >> (big ? 8 - 8 * i : 8 * i)));
  }
  void u32(uint32_t v) {
    for (int i = 0; i < 4; i++) file.push_back(static_cast<uint8_t>(v >> (big ? 24 - 8 * i : 8 * i)));
  }
  template <typename F>
  void block(uint32_t type, F body) {
    size_t from = file.size();
    u32(type), u32(0);
    body();
    while (file.size() % 4) file.push_back(0);
    auto size = static_cast<uint32_t>(file.size() - from + 4);
    u32(size);
    std::vector<uint8_t> rest(file.begin() + static_cast<std::ptrdiff_t>(from + 8), file.end());
    file.resize(from + 4);
    u32(size);
    file.insert(file.end(), rest.begin(), rest.end());
  }
  void section() {
    block(0x0a0d0d0a, [&] { u32(0x1a2b3c4d), u16(1), u16(2), u32(0xffffffff), u32(0xffffffff); });
  }
  void interface(uint32_t linktype, uint32_t snaplen, uint32_t resolution, uint64_t offset) {
    block(1, [&] {
      u16(linktype), u16(0), u32(snaplen);
      u16(2), u16(3), file.insert(file.end(), {'e', 't', '1', 0});
      u16(9), u16(1), file.insert(file.end(), {static_cast<uint8_t>(resolution), 0, 0, 0});
      u16(14), u16(8), big ? (u32(static_cast<uint32_t>(offset >> 32)), u32(static_cast<uint32_t>(offset)))
                           : (u32(static_cast<uint32_t>(offset)), u32(static_cast<uint32_t>(offset >> 32)));
      u16(0), u16(0);
    });
  }
  void packet(uint32_t interface, uint64_t time, const std::string& data, uint32_t length) {
    block(6, [&] {
      u32(interface), u32(static_cast<uint32_t>(time >> 32)), u32(static_cast<uint32_t>(time));
      u32(static_cast<uint32_t>(data.size())), u32(length);
      file.insert(file.end(), data.begin(), data.end());
    });
  }
};
static std::vector<Record> records(Walker& w, const std::vector<uint8_t>& file) {
  std::vector<Record> out;
  w.feed(file.data(), file.size(), true);
  for (Record r; w.next(r) == Walker::Status::record;) out.push_back(r);
  return out;
}
static std::string data(const Record& r) { return std::string(reinterpret_cast<const char*>(r.data), r.caplen); }

static void pcapng() {
  for (bool big : {false, true}) {
    Blocks b{big, {}};
    b.section();
    b.interface(1, 96, 9, 0);
    b.interface(113, 0, 6, static_cast<uint64_t>(-5));
    b.packet(0, 3000000007u, "abcde", 60);
    b.packet(1, 5000000, "x", 1);
    b.packet(1, 4999999, "y", 1);
    Walker w;
    std::vector<Record> r = records(w, b.file);
    check(r.size() == 3 && w.big_endian == big && w.version_major == 1 && w.version_minor == 2 && !w.truncated, "a pcapng section of either byte order");
    check(w.interfaces.size() == 2 && w.interfaces[0].snaplen == 96 && w.interfaces[0].name == "et1" && w.interfaces[0].ticks == 1000000000 &&
              w.interfaces[1].linktype == 113 && w.interfaces[1].offset_s == -5,
          "its interfaces");
    if (r.size() != 3) continue;
    check(r[0].time == 3000000007 && r[0].caplen == 5 && r[0].length == 60 && data(r[0]) == "abcde" && r[0].interface == 0 && r[0].linktype == 1, "a packet with nanoseconds");
    check(data(r[0]) == std::string(b.file.begin() + static_cast<std::ptrdiff_t>(r[0].data_offset), b.file.begin() + static_cast<std::ptrdiff_t>(r[0].data_offset + 5)), "and where it lies");
    check(r[1].time == 0 && !r[1].time_clamped && r[1].linktype == 113, "a time that its interface's offset takes back to 1970 exactly");
    check(r[2].time == 0 && r[2].time_clamped, "one before 1970 is held at 1970, and that is said");
  }
}

static void classic() {
  for (bool big : {false, true})
    for (bool nanos : {false, true}) {
      Blocks b{big, {}};
      b.u32(nanos ? 0xa1b23c4d : 0xa1b2c3d4), b.u16(2), b.u16(4), b.u32(0), b.u32(0), b.u32(96), b.u32(113);
      b.u32(7), b.u32(8), b.u32(3), b.u32(60);
      b.file.insert(b.file.end(), {'a', 'b', 'c'});
      Walker w;
      std::vector<Record> r = records(w, b.file);
      check(r.size() == 1 && w.big_endian == big && w.nanoseconds == nanos && w.version_major == 2 && w.version_minor == 4 && w.interfaces[0].snaplen == 96,
            "a classic capture of either byte order and resolution");
      check(r.size() == 1 && r[0].time == 7000000000 + (nanos ? 8 : 8000) && r[0].caplen == 3 && r[0].length == 60 && data(r[0]) == "abc" && r[0].linktype == 113, "its packet");
    }
}

void capture_files() {
  pcapng();
  classic();
}

}  // namespace tf
