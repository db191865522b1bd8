// IP fragments: put together, overlapping, kept apart.
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "../wire/dissect.h"
#include "check.h"

namespace tf {

// A UDP datagram in IPv4 fragments: the header in the first unit of eight bytes, letters behind it.
static std::string datagram(Overlap policy, const std::vector<std::pair<int, std::string>>& parts, Outcome* told = nullptr) {
  std::vector<uint8_t> file = pcap_head(101);
  int end = 0;
  for (auto& [at, units] : parts) end = std::max(end, at + static_cast<int>(units.size()));
  uint32_t time = 1;
  auto add = [&](int at, bool more, const std::vector<uint8_t>& payload) {
    std::vector<uint8_t> p(20 + payload.size());
    p[0] = 0x45;
    put_be16(&p[2], static_cast<uint16_t>(p.size()));
    put_be16(&p[4], 7);
    put_be16(&p[6], static_cast<uint16_t>(at | (more ? 0x2000 : 0)));
    p[8] = 64, p[9] = 17, p[12] = p[16] = 10, p[15] = 1, p[19] = 2;
    put_be16(&p[10], static_cast<uint16_t>(~checksum_fold(checksum_add(p.data(), 20, 0))));
    std::copy(payload.begin(), payload.end(), p.begin() + 20);
    pcap_add(file, time++, p.data(), p.size());
  };
  std::vector<uint8_t> udp(8);
  put_be16(&udp[0], 5000);
  put_be16(&udp[2], 6000);
  put_be16(&udp[4], static_cast<uint16_t>(end * 8));
  for (auto& [at, units] : parts) {
    std::vector<uint8_t> payload;
    for (char c : units) payload.insert(payload.end(), 8, static_cast<uint8_t>(c));
    add(at, at + static_cast<int>(units.size()) < end, payload);
  }
  add(0, true, udp);
  Outcome o = run_capture(file.data(), file.size(), 1 << 16, 1, policy, true);
  std::string out;
  for (size_t i = 0; i < o.stream.size(); i += 8) out += static_cast<char>(o.stream[i]);
  if (told) *told = o;
  return out;
}

static void overlaps() {
  // Old at units 2–3, new at 1–2 (begins before, ends inside); old at 1–2, new at 1 (begins with it); new around old; new inside old.
  struct Case {
    Overlap policy;
    const char *before, *with, *around, *inside;
  };
  for (const Case& c : {Case{Overlap::first, "NOOE", "OOE", "NONE", "OOOE"}, Case{Overlap::last, "NNOE", "NOE", "NNNE", "ONOE"},
                        Case{Overlap::bsd, "NNOE", "OOE", "NNNE", "OOOE"}, Case{Overlap::linux_, "NNOE", "NOE", "NNNE", "OOOE"},
                        Case{Overlap::windows, "NOOE", "OOE", "NNNE", "OOOE"}}) {
    check(datagram(c.policy, {{2, "OO"}, {1, "NN"}, {4, "E"}}) == c.before, "a fragment that begins before another");
    check(datagram(c.policy, {{1, "OO"}, {1, "N"}, {3, "E"}}) == c.with, "a fragment that begins with another");
    check(datagram(c.policy, {{2, "O"}, {1, "NNN"}, {4, "E"}}) == c.around, "a fragment around another");
    check(datagram(c.policy, {{1, "OOO"}, {2, "N"}, {4, "E"}}) == c.inside, "a fragment inside another");
  }
  Outcome told;
  check(datagram(Overlap::linux_, {{3, "C"}, {1, "A"}, {2, "B"}}) == "ABC", "fragments out of order");
  check(datagram(Overlap::linux_, {{1, "A"}, {1, "A"}, {2, "B"}}, &told) == "AB" && !note(told, Anomaly::ip_fragment_overlap), "an exact copy is no overlap");
  datagram(Overlap::linux_, {{1, "AA"}, {2, "B"}, {3, "C"}}, &told);
  check(note(told, Anomaly::ip_fragment_overlap) && note(told, Anomaly::ip_fragment_conflict), "an overlap that differs is said, and that it does");
}

// Fragments of two datagrams by turns: what tells them apart.
static void kept_apart() {
  struct Fragment {
    std::string head;  // without lengths: IPv4's 20 bytes, or IPv6's 40 with the fragment header's 8
    int at;            // in units of eight bytes
    bool more;
    char fill;
    int units;
  };
  auto run = [](const std::vector<Fragment>& list) {
    std::vector<uint8_t> file = pcap_head(101);
    uint32_t time = 1;
    for (const Fragment& f : list) {
      std::vector<uint8_t> p = bytes(f.head);
      size_t head = p.size();
      uint16_t place = static_cast<uint16_t>(f.at | (f.more ? 0x2000 : 0));
      if (f.at == 0) p.insert(p.end(), {0x13, 0x88, 0x17, 0x70, 0, 24, 0, 0});
      p.insert(p.end(), static_cast<size_t>(f.units) * 8, static_cast<uint8_t>(f.fill));
      if (head == 20) put_be16(&p[2], static_cast<uint16_t>(p.size())), put_be16(&p[6], place), put_be16(&p[10], static_cast<uint16_t>(~checksum_fold(checksum_add(p.data(), 20, 0))));
      else put_be16(&p[4], static_cast<uint16_t>(p.size() - 40)), put_be16(&p[42], static_cast<uint16_t>(f.at << 3 | (f.more ? 1 : 0)));
      pcap_add(file, time++, p.data(), p.size());
    }
    return run_capture(file.data(), file.size(), 1 << 16, 1, Overlap::linux_, true);
  };
  auto v4 = [](const char* id, const char* protocol, const char* source, const char* destination) {
    return std::string("45000000") + id + "0000" + "40" + protocol + "0000" + source + destination;
  };
  auto v6 = [](const char* id, const char* source, const char* destination) {
    return std::string("60000000" "0000" "2c" "40") + source + destination + "11000000" + id;
  };
  const char *a = "0a000001", *b = "0a000002", *z = "0a000003", *zz = "0b000001";
  const std::string six = "20010db80000000000000000000000", mapped = "00000000000000000000ffff";
  const std::string one = v4("0007", "11", a, b);
  struct Pair {
    const char* what;
    std::string first, second;
  };
  const Pair pairs[] = {
      {"by their numbers", one, v4("0008", "11", a, b)},
      {"by high bits of their numbers", one, v4("0107", "11", a, b)},
      {"by their sources", one, v4("0007", "11", z, b)},
      {"by a source's first byte", one, v4("0007", "11", zz, b)},
      {"by their destinations", one, v4("0007", "11", a, z)},
      {"by a destination's first byte", one, v4("0007", "11", a, zz)},
      {"IPv6, by their numbers", v6("00000007", (six + "01").c_str(), (six + "02").c_str()), v6("01000007", (six + "01").c_str(), (six + "02").c_str())},
      {"IPv6, by their destinations", v6("00000007", (six + "01").c_str(), (six + "02").c_str()), v6("00000007", (six + "01").c_str(), (six + "03").c_str())},
      {"by the version", one, v6("00000007", (mapped + a).c_str(), (mapped + b).c_str())},
  };
  for (const Pair& p : pairs) {
    Outcome o = run({{p.first, 0, true, 'a', 1}, {p.second, 0, true, 'b', 1}, {p.first, 2, false, 'A', 1}, {p.second, 2, false, 'B', 1}});
    bool apart = text(o) == "aaaaaaaaAAAAAAAAbbbbbbbbBBBBBBBB" && !note(o, Anomaly::ip_fragment_overlap);
    if (!apart) printf("%s: %s\n", p.what, text(o).c_str());
    check(apart, p.what);
  }
  const std::string four = v4("0007", "06", a, b), same = v6("00000007", (mapped + a).c_str(), (mapped + b).c_str());
  Outcome both = run({{four, 0, true, 'a', 1}, {same, 0, true, 'b', 1}, {four, 2, false, 'A', 1}, {same, 2, false, 'B', 1}});
  check(text(both) == "bbbbbbbbBBBBBBBB" && !note(both, Anomaly::ip_fragment_overlap), "by the version, also where IPv4's protocol has its number");
  // Another protocol under the same number is another datagram (RFC 791); what its first fragment names is what counts.
  Outcome o = run({{one, 0, true, 'a', 1}, {v4("0007", "06", a, b), 2, false, 'X', 1}, {one, 2, false, 'A', 1}});
  check(text(o) == "aaaaaaaaAAAAAAAA", "by their protocols");
  // A last fragment without a byte tells where the datagram ends, not that it is whole.
  o = run({{one, 0, true, 'a', 0}, {one, 2, false, 'A', 0}});
  check(text(o).empty(), "an empty last fragment does not make a datagram whole");
  o = run({{one, 2, false, 'A', 0}, {one, 1, true, 'b', 1}, {one, 0, true, 'a', 0}});
  check(text(o) == "bbbbbbbb", "with all between it is");
}

// A fragment that comes after its datagram's time begins another one, also where many flows end with the same jump of the clock.
static void too_late() {
  std::vector<uint8_t> file = pcap_head(101);
  for (uint16_t i = 0; i < 100; i++) {
    std::vector<uint8_t> p = bytes("4500001d00000000401100000a0000010a0000ff" "1000000900090000" "61");
    put_be16(&p[20], static_cast<uint16_t>(1024 + i));
    pcap_add(file, 1, p.data(), p.size());
  }
  auto fragment = [&](uint32_t time, const char* place) {
    std::vector<uint8_t> p = bytes(std::string("4500001c0007") + place + "401100000a0000020a000003" "1388177000100000");
    pcap_add(file, time, p.data(), p.size());
  };
  fragment(1, "2000");
  fragment(1000, "0001");
  Outcome one = run_capture(file.data(), file.size(), 1 << 16, 1, Overlap::linux_, true), more = run_capture(file.data(), file.size(), 1 << 16, 3);
  int incomplete = 0;
  for (const EventRow& r : one.rows) incomplete += r.type == static_cast<uint32_t>(Event::note) && static_cast<Anomaly>(r.extra) == Anomaly::ip_fragment_incomplete;
  check(incomplete == 2 && one.flows == 102, "a fragment that comes too late begins a datagram of its own");
  check(one.sum == more.sum, "in any number of shards");
}

void fragments() {
  too_late();
  kept_apart();
  overlaps();
}

}  // namespace tf
