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

// What a file does not tell, or tells as all ones, is not told.
static void counters() {
  for (bool big : {false, true}) {
    Blocks b{big, {}};
    b.section();
    b.interface(1, 96, 6, 0);
    auto number = [&](uint32_t code, uint64_t v) {
      b.u16(code), b.u16(8);
      for (int half : {0, 1}) b.u32(static_cast<uint32_t>(half == big ? v : v >> 32));
    };
    b.block(5, [&] { b.u32(0), b.u32(0), b.u32(0), number(4, (7ull << 32) + 9), number(5, UINT64_MAX), b.u16(0), b.u16(0); });
    b.block(6, [&] { b.u32(0), b.u32(0), b.u32(0), b.u32(4), b.u32(4), b.u32(0), number(4, 3), b.u16(0), b.u16(0); });
    b.block(6, [&] { b.u32(0), b.u32(0), b.u32(0), b.u32(4), b.u32(4), b.u32(0), number(4, UINT64_MAX - 1), b.u16(0), b.u16(0); });
    Walker w;
    check(records(w, b.file).size() == 2 && w.packet_drops == 3, "packets' own drop counts are added up, but for impossible ones");
    check(w.interfaces[0].received == (7ull << 32) + 9 && w.interfaces[0].dropped == kNotTold && w.interfaces[0].os_dropped == kNotTold,
          "an interface's counters, but for those that are unknown");
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

// Captures written one behind the other: the second has a link layer of its own, the third the first's.
static void one_behind_the_other() {
  for (bool big : {false, true}) {
    Blocks b{big, {}};
    auto add = [&](uint32_t linktype, const char* what) {
      b.u32(0xa1b2c3d4), b.u16(2), b.u16(4), b.u32(0), b.u32(0), b.u32(96), b.u32(linktype);
      b.u32(7), b.u32(8), b.u32(1), b.u32(1);
      b.file.push_back(static_cast<uint8_t>(*what));
    };
    add(1, "a"), add(101, "b"), add(1, "c");
    Walker w;
    std::vector<Record> r = records(w, b.file);
    check(r.size() == 3 && data(r[0]) + data(r[1]) + data(r[2]) == "abc" && w.broken_records == 0 && !w.truncated, "captures one behind the other are one");
    check(r.size() == 3 && r[0].linktype == 1 && r[1].linktype == 101 && r[1].interface == 1 && r[2].interface == 0 && w.interfaces.size() == 2,
          "each packet has its own capture's link layer");
  }
}

// Captures of one packet or two, days apart, one behind the other, and one without any; the last has many.
static void days_one_behind_the_other() {
  Blocks b{false, {}};
  std::string sent;
  for (uint32_t day = 0; day < 8; day++) {
    b.u32(0xa1b2c3d4), b.u16(2), b.u16(4), b.u32(0), b.u32(0), b.u32(96), b.u32(1);
    for (uint32_t n = 0; n < (day == 7 ? 20u : day % 3); n++) {
      b.u32(1700000000 + day * 9 * 86400 + n), b.u32(n), b.u32(4), b.u32(60);
      for (int i = 0; i < 4; i++) b.file.push_back(static_cast<uint8_t>('a' + day)), sent += static_cast<char>('a' + day);
    }
  }
  Walker w;
  std::string s;
  for (const Record& r : records(w, b.file)) s += data(r);
  check(s == sent && w.broken_records == 0, "captures of a packet or two, days apart, lose none of them");
}

// Heads of 20, 24 and 28 bytes under magic numbers that promise 16 or 24: read where they lead from record to record, and not live.
static void longer_heads() {
  for (bool modified : {false, true})
    for (uint32_t head : {16, 20, 24, 28}) {
      Blocks b{false, {}};
      b.u32(modified ? 0xa1b2cd34 : 0xa1b2c3d4), b.u16(2), b.u16(4), b.u32(0), b.u32(0), b.u32(96), b.u32(1);
      std::string sent;
      for (uint32_t n = 0; n < 20; n++) {
        uint32_t size = 3 + n * 7 % 11;
        b.u32(1700000000 + n), b.u32(n), b.u32(size), b.u32(60);
        for (uint32_t i = 16; i < head; i++) b.file.push_back(0xee);
        for (uint32_t i = 0; i < size; i++) b.file.push_back('a' + n), sent += static_cast<char>('a' + n);
      }
      auto all = [&](bool live) {
        Walker w;
        w.live = live;
        std::string s;
        for (const Record& r : records(w, b.file)) s += data(r);
        return s;
      };
      check(all(false) == sent, "records with heads of any length that was ever written");
      check((all(true) == sent) == (head == (modified ? 24u : 16u)), "live, a magic number is taken at its word");
    }
}

// One packet of 192.0.2.1 → 192.0.2.2 in blocks of all kinds, behind one that is not known.
static std::vector<uint8_t> all_blocks(bool big) {
  const std::string ip("\x45\0\0\x1c\0\0\0\0\x40\x11\xf6\xce\xc0\0\2\1\xc0\0\2\2\xc0\0\0\x35\0\x08\0\0", 28);
  Blocks b{big, {}};
  auto raw = [&](const std::string& s) { b.file.insert(b.file.end(), s.begin(), s.end()); };
  b.block(0x0a0d0d0a, [&] { b.u32(0x1a2b3c4d), b.u16(1), b.u16(2), b.u32(0xffffffff), b.u32(0xffffffff), b.u16(1), b.u16(4), raw("file"); });
  b.interface(101, 96, 9, 0);
  b.interface(101, 20, 6, 5);
  b.block(1, [&] {
    b.u16(101), b.u16(0), b.u32(0);
    b.u16(3), b.u16(4), raw("here"), b.u16(11), b.u16(4), raw(std::string("\0udp", 4)), b.u16(12), b.u16(4), raw("Acme"), b.u16(1), b.u16(4), raw("talk");
    b.u16(9), b.u16(1), raw(std::string("\x8a\0\0\0", 4)), b.u16(0), b.u16(0);
  });
  b.block(1, [&] { b.u16(101), b.u16(0), b.u32(0), b.u16(11), b.u16(1), b.u32(0), b.u16(0), b.u16(0); });
  b.block(0x0bad0bad, [&] { raw("1234"); });
  b.block(4, [&] { b.u16(1), b.u16(8), raw(std::string("\xc0\0\2\1a\0\0\0", 8)), b.u16(0), b.u16(0); });
  b.packet(0, 3000000007u, ip, 28);
  b.block(6, [&] {
    b.u32(1), b.u32(0), b.u32(7000000), b.u32(28), b.u32(28), raw(ip);
    b.u16(1), b.u16(3), raw(std::string("hey\0", 4)), b.u16(4), b.u16(8), b.u32(0), b.u32(big ? 9 : 0), b.u16(0), b.u16(0);
  });
  b.block(6, [&] { b.u32(0), b.u32(0), b.u32(7000001), b.u32(28), b.u32(28), raw(ip), b.u16(1), b.u16(4), raw("last"); });
  b.block(3, [&] { b.u32(28), raw(ip); });
  b.block(2, [&] { b.u16(1), b.u16(2), b.u32(0), b.u32(8000000), b.u32(28), b.u32(30), raw(ip); });
  b.block(5, [&] {
    b.u32(0), b.u32(0), b.u32(9000000);
    for (uint32_t code : {4, 5, 6, 7, 8}) b.u16(code), b.u16(8), b.u32(0), b.u32(code);
    b.u16(0), b.u16(0);
  });
  return b.file;
}
std::vector<std::pair<std::string, std::vector<uint8_t>>> capture_samples() {
  std::vector<std::pair<std::string, std::vector<uint8_t>>> all = {{"pcapng, little-endian", all_blocks(false)}, {"pcapng, big-endian", all_blocks(true)}};
  for (bool big : {false, true}) {
    Blocks b{!big, {}}, behind{big, {}};
    b.section();
    b.interface(101, 96, 9, 0);
    b.packet(0, 3000000007u, "E", 1);
    b.block(6, [&] { b.u32(0); });
    b.file.insert(b.file.end(), {0, 0, 0, 0, 1, 2, 3, 4, 0xff, 0xff, 0xff, 0xff});
    behind.section();
    behind.interface(101, 96, 6, 0);
    for (uint64_t t : {4000000, 5000000}) behind.packet(0, t, "E", 1);
    b.file.insert(b.file.end(), behind.file.begin(), behind.file.end());
    all.emplace_back(big ? "pcapng, broken, then a big-endian section" : "pcapng, broken, then a little-endian section", b.file);
  }
  for (uint32_t extra : {0, 8}) {
    Blocks b{false, {}};
    b.u32(extra ? 0xa1b2cd34 : 0xa1b2c3d4), b.u16(2), b.u16(4), b.u32(0), b.u32(0), b.u32(96), b.u32(101);
    for (uint32_t n : {1, 2, 3, 4}) {
      b.u32(1000 + n), b.u32(n), b.u32(n == 2 ? 0xffffff : 4), b.u32(60);
      for (uint32_t i = 0; i < extra; i++) b.file.push_back(0);
      b.u32(n);
    }
    all.emplace_back(extra ? "pcap, modified, a record broken" : "pcap, a record broken", b.file);
  }
  for (bool nanos : {false, true}) {
    Blocks b{true, {}};
    b.u32(nanos ? 0xa1b23c4d : 0xa1b2c3d4), b.u16(2), b.u16(4), b.u32(0), b.u32(0), b.u32(96), b.u32(101);
    for (uint32_t n : {1, 2}) {
      b.u32(n), b.u32(8), b.u32(20), b.u32(28);
      for (uint8_t c : bytes("4500001c00000000401100" "00c0000201c0000202")) b.file.push_back(c);
    }
    all.emplace_back(nanos ? "pcap with nanoseconds, big-endian" : "pcap, big-endian", b.file);
  }
  return all;
}

// Old versions wrote the two lengths of a record in the other order, some now and then.
static void swapped_lengths() {
  for (int major : {2, 543})
    for (int minor : {0, 1, 2, 3, 4}) {
      if (major == 543 && minor) continue;
      bool old = minor < 4;
      std::vector<uint8_t> file = {0xd4, 0xc3, 0xb2, 0xa1, static_cast<uint8_t>(major), static_cast<uint8_t>(major >> 8), static_cast<uint8_t>(minor), 0,
                                   0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0};
      for (uint8_t i = 0; i < 6; i++) {
        uint8_t captured = 40, sent = i % 2 ? 40 : 200;
        bool swapped = old && i != 4;
        file.insert(file.end(), {0, 0, 0, 60, i, 0, 0, 0, swapped ? sent : captured, 0, 0, 0, swapped ? captured : sent, 0, 0, 0});
        file.insert(file.end(), captured, static_cast<uint8_t>('a' + i));
      }
      Walker w;
      std::vector<Record> got = records(w, file);
      bool right = got.size() == 6 && w.broken_records == 0 && !w.truncated;
      for (size_t i = 0; right && i < 6; i++)
        right = got[i].caplen == 40 && got[i].length == (i % 2 ? 40 : 200) && data(got[i])[39] == static_cast<char>('a' + i) && !got[i].caplen_excess;
      check(right, "lengths of an old capture in either order");
    }
}

void capture_files() {
  swapped_lengths();
  pcapng();
  counters();
  classic();
  days_one_behind_the_other();
  longer_heads();
  one_behind_the_other();
}

}  // namespace tf
