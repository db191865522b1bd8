// Tests of the native core, without Node. Each says what a user would say; the program prints what failed and ends with a count.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "../engine/merge.h"
#include "../flow/transport.h"
#include "../wire/digest.h"
#include "../wire/dissect.h"
#include "harness.h"

using namespace tf;

static int passed = 0, failed = 0;
static void check(bool ok, const char* what) {
  ok ? passed++ : failed++;
  if (!ok) printf("FAILED: %s\n", what);
}
static std::string hex(const uint8_t* p, int n) {
  std::string s;
  for (int i = 0; i < n; i++) s += "0123456789abcdef"[p[i] >> 4], s += "0123456789abcdef"[p[i] & 15];
  return s;
}

static void digests() {
  uint8_t out[32];
  sha256(reinterpret_cast<const uint8_t*>("abc"), 3, out);
  check(hex(out, 32) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "SHA-256 of abc (FIPS 180-4)");
  std::string long_text(1000, 'a');
  sha256(reinterpret_cast<const uint8_t*>(long_text.data()), long_text.size(), out);
  check(hex(out, 32) == "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3", "SHA-256 of 1,000 a");
  sha1(reinterpret_cast<const uint8_t*>("abc"), 3, out);
  check(hex(out, 20) == "a9993e364706816aba3e25717850c26c9cd0d89d", "SHA-1 of abc (FIPS 180-4)");
}

static void community_ids() {
  const uint8_t a[4] = {128, 232, 110, 120}, b[4] = {66, 35, 250, 204};
  check(community_id(ipv4_address(a), ipv4_address(b), 6, 34855, 80, true) == "1:LQU9qZlK+B5F3KDmev6m5PMibrg=", "community ID of the specification's example");
  check(community_id(ipv4_address(b), ipv4_address(a), 6, 80, 34855, true) == "1:LQU9qZlK+B5F3KDmev6m5PMibrg=", "and the same from the other side");
}

static void addresses() {
  uint8_t six[16] = {0x20, 0x01, 0x0d, 0xb8};
  six[15] = 1;
  check(address_text(ipv6_address(six)) == "2001:db8::1", "IPv6 text by RFC 5952");
  uint8_t zero[16] = {0};
  check(address_text(ipv6_address(zero)) == "::", "the unspecified address");
  const uint8_t four[4] = {192, 0, 2, 255};
  check(address_text(ipv4_address(four)) == "192.0.2.255", "IPv4 text");
}

static void filters() {
  Program ok = {{0x28, 0, 0, 12}, {0x15, 0, 1, 0x800}, {0x06, 0, 0, 0x40000}, {0x06, 0, 0, 0}};
  check(verify(ok).empty(), "a program that the kernel takes");
  uint8_t frame[14] = {0};
  frame[12] = 8;
  check(run(ok, frame, 14, 14) == 0x40000, "an IPv4 frame is kept");
  frame[12] = 0x86;
  check(run(ok, frame, 14, 14) == 0, "another is dropped");
  check(run(ok, frame, 4, 14) == 0, "a load past the end drops");
  check(!verify({}).empty(), "no empty program");
  check(!verify({{0x05, 0, 0, 5}, {0x06, 0, 0, 0}}).empty(), "no jump past the end");
  check(!verify({{0x34, 0, 0, 0}, {0x06, 0, 0, 0}}).empty(), "no division by zero");
  check(!verify({{0x64, 0, 0, 32}, {0x06, 0, 0, 0}}).empty(), "no shift by 32");
  check(!verify({{0x60, 0, 0, 3}, {0x16, 0, 0, 0}}).empty(), "no read of a cell that was not written");
  check(verify({{0x00, 0, 0, 1}, {0x02, 0, 0, 3}, {0x60, 0, 0, 3}, {0x16, 0, 0, 0}}).empty(), "a cell that was written may be read");
  check(!verify({{0x00, 0, 0, 1}}).empty(), "the last instruction returns");
  check(!verify({{0x0e, 0, 0, 0}, {0x06, 0, 0, 0}}).empty(), "RET X is no instruction of the kernel");
  check(!verify({{0x20, 0, 0, 0xfffff000u + 64}, {0x06, 0, 0, 0}}).empty(), "no unknown ancillary load");
}

// Serial lines: the link type does not tell whose framing it is, the first bytes do.
static void serial_lines() {
  const uint8_t ip[20] = {0x45, 0, 0, 20, 0, 0, 0, 0, 64, 1, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2};
  auto carries = [&](uint32_t linktype, std::vector<uint8_t> head) {
    head.insert(head.end(), ip, ip + 20);
    Packet p;
    dissect(linktype, head.data(), static_cast<uint32_t>(head.size()), static_cast<uint32_t>(head.size()), p);
    return p.carries == Carries::ip && address_text(p.destination) == "192.0.2.2";
  };
  for (uint32_t linktype : {9u, 50u}) {
    check(carries(linktype, {0xff, 0x03, 0x00, 0x21}), "PPP with address and control");
    check(carries(linktype, {0x21}), "PPP with both compressed away");
    check(carries(linktype, {0x0f, 0x00, 0x08, 0x00}), "Cisco HDLC, unicast, on a line captured as PPP");
    check(carries(linktype, {0x8f, 0x00, 0x08, 0x00}), "Cisco HDLC, broadcast, on a line captured as PPP");
  }
  check(carries(104, {0x0f, 0x00, 0x08, 0x00}), "Cisco HDLC by its own link type");
}

// A capture of TCP segments of one connection, built by hand.
struct Maker {
  std::vector<uint8_t> file = pcap_head(1);
  uint32_t time = 1000;
  void tcp(bool client, uint32_t seq, uint32_t ack, uint8_t flags, const std::string& payload) {
    uint32_t total = 40 + static_cast<uint32_t>(payload.size()), frame = total + 14;
    std::vector<uint8_t> p(frame);
    p[12] = 8;
    uint8_t* ip = p.data() + 14;
    ip[0] = 0x45;
    put_be16(ip + 2, static_cast<uint16_t>(total));
    ip[8] = 64, ip[9] = 6;
    ip[12] = 10, ip[15] = client ? 1 : 2;
    ip[16] = 10, ip[19] = client ? 2 : 1;
    put_be16(ip + 10, static_cast<uint16_t>(~checksum_fold(checksum_add(ip, 20, 0))));
    uint8_t* t = ip + 20;
    put_be16(t, client ? 4000 : 80);
    put_be16(t + 2, client ? 80 : 4000);
    put_be32(t + 4, seq);
    put_be32(t + 8, ack);
    t[12] = 0x50, t[13] = flags;
    put_be16(t + 14, 65535);
    memcpy(t + 20, payload.data(), payload.size());
    uint8_t pseudo[12] = {0};
    memcpy(pseudo, ip + 12, 8);
    pseudo[9] = 6;
    put_be16(pseudo + 10, static_cast<uint16_t>(total - 20));
    put_be16(t + 16, static_cast<uint16_t>(~checksum_fold(checksum_add(t, total - 20, checksum_add(pseudo, 12, 0)))));
    pcap_add(file, time++, p.data(), p.size());
  }
  void handshake() {
    tcp(true, 99, 0, SYN, "");
    tcp(false, 499, 100, SYN | ACK, "");
    tcp(true, 100, 500, ACK, "");
  }
  Outcome outcome(Overlap policy = Overlap::linux_) { return run_capture(file.data(), file.size(), 1 << 16, 1, policy, true); }
};
static std::string text(const Outcome& o) { return std::string(o.stream.begin(), o.stream.end()); }
static const EventRow* note(const Outcome& o, Anomaly a) {
  for (const EventRow& r : o.rows)
    if (r.type == static_cast<uint32_t>(Event::note) && r.extra == static_cast<uint32_t>(a)) return &r;
  return nullptr;
}

static void streams() {
  Maker order;
  order.handshake();
  order.tcp(true, 103, 500, ACK, "def");
  order.tcp(true, 106, 500, ACK, "ghi");
  order.tcp(true, 100, 500, ACK, "abc");
  check(text(order.outcome()) == "abcdefghi", "segments out of order come in order");

  Maker again;
  again.handshake();
  again.tcp(true, 100, 500, ACK, "abc");
  again.tcp(true, 100, 500, ACK, "abcdef");
  check(text(again.outcome()) == "abcdef" && !note(again.outcome(), Anomaly::tcp_overlap_conflict), "a retransmission that brings more is taken once");

  Maker differs;
  differs.handshake();
  differs.tcp(true, 100, 500, ACK, "abc");
  differs.tcp(true, 100, 500, ACK, "xyz");
  Outcome d = differs.outcome();
  const EventRow* conflict = note(d, Anomaly::tcp_overlap_conflict);
  check(text(d) == "abc" && conflict && conflict->length == 3 && conflict->side == 3, "a copy that differs is a conflict, with both lengths; what was delivered wins");

  Maker acked;
  acked.handshake();
  acked.tcp(true, 100, 500, ACK, "abc");
  acked.tcp(false, 500, 103, ACK, "");
  acked.tcp(true, 100, 500, ACK, "xyz");
  check(note(acked.outcome(), Anomaly::tcp_overlap_unverified) != nullptr, "bytes acknowledged long ago cannot be compared, and that is said");

  Maker wrap;
  wrap.tcp(true, 0xfffffffdu, 0, SYN, "");
  wrap.tcp(false, 499, 0xfffffffeu, SYN | ACK, "");
  wrap.tcp(true, 0xfffffffeu, 500, ACK, "abcd");
  wrap.tcp(true, 2, 500, ACK, "ef");
  check(text(wrap.outcome()) == "abcdef", "sequence numbers wrap");

  Maker hole;
  hole.handshake();
  hole.tcp(true, 110, 500, ACK, "after");
  hole.tcp(false, 500, 115, ACK, "");
  for (int i = 0; i < 20; i++) hole.tcp(true, 115, 500, ACK, "");
  Outcome h = hole.outcome();
  const EventRow* gap = note(h, Anomaly::tcp_gap);
  check(text(h) == "after" && gap && gap->length == 10, "a hole that the receiver acknowledged past is given up, with its length");

  Maker middle;
  middle.tcp(true, 5000, 900, ACK, "mid");
  middle.tcp(true, 5003, 900, ACK, "dle");
  check(text(middle.outcome()) == "middle", "a connection picked up in the middle");

  Maker reuse;
  reuse.handshake();
  reuse.tcp(true, 100, 500, ACK, "one");
  reuse.tcp(true, 70000, 0, SYN, "");
  reuse.tcp(true, 70001, 0, ACK, "two");
  check(reuse.outcome().flows == 2, "a SYN with another sequence number is another connection");

  Maker tfo;
  tfo.tcp(true, 99, 0, SYN, "fast");
  tfo.tcp(false, 499, 104, SYN | ACK, "");
  check(text(tfo.outcome()) == "fast" && note(tfo.outcome(), Anomaly::tcp_syn_data), "data in a SYN is delivered and said");

  // Waiting above a hole: old covers [110,116), new begins before it and ends inside it.
  auto overlap = [](Overlap p) {
    Maker m;
    m.handshake();
    m.tcp(true, 104, 500, ACK, "OLDOLD");
    m.tcp(true, 102, 500, ACK, "newn");
    m.tcp(true, 100, 500, ACK, "ab");
    return text(m.outcome(p));
  };
  check(overlap(Overlap::first) == "abneOLDOLD", "policy first keeps the old bytes");
  check(overlap(Overlap::last) == "abnewnDOLD", "policy last takes the new ones");
  check(overlap(Overlap::bsd) == "abnewnDOLD", "policy bsd takes what begins before");
  check(overlap(Overlap::linux_) == "abnewnDOLD", "policy linux takes what begins before");
  check(overlap(Overlap::windows) == "abneOLDOLD", "policy windows wants it to begin before and end after");

  // A third segment is measured against what won before, not against what was there first.
  auto third = [](Overlap p) {
    Maker m;
    m.handshake();
    m.tcp(true, 101, 500, ACK, "A");
    m.tcp(true, 101, 500, ACK, "BB");
    m.tcp(true, 101, 500, ACK, "CC");
    m.tcp(true, 100, 500, ACK, "h");
    return text(m.outcome(p));
  };
  check(third(Overlap::first) == "hAB" && third(Overlap::last) == "hCC" && third(Overlap::linux_) == "hBB", "the winner of an overlap is what a third segment meets");
}

// A UDP datagram in IPv4 fragments: the header in the first unit of eight bytes, letters behind it.
// A connection of two minutes, a packet a second, that ends on both sides.
static void interims() {
  Maker m;
  m.handshake();
  for (uint32_t i = 0; i < 127; i++) m.tcp(true, 100 + i, 500, ACK, "x");
  m.tcp(true, 227, 500, FIN | ACK, "");
  m.tcp(false, 500, 228, FIN | ACK, "");
  m.tcp(true, 228, 501, ACK, "");
  auto told = [&](uint64_t interval, size_t segment) {
    Outcome o = run_capture(m.file.data(), m.file.size(), 1 << 16, 1, Overlap::linux_, true, nullptr, segment, interval);
    return std::count_if(o.rows.begin(), o.rows.end(), [](const EventRow& r) { return r.type == static_cast<uint32_t>(Event::interim); });
  };
  check(told(0, SIZE_MAX) == 0, "no interim records unless they are asked for");
  check(told(60 * kSecond, SIZE_MAX) == 4, "an open flow is told after five seconds, then every minute, and when both sides ended");
  check(told(60 * kSecond, 1) == 4, "also where the engine is written out and read back in between");
  check(told(3600 * kSecond, SIZE_MAX) == 2, "once early and once at the end, where the interval is long");
}

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
static void fragments() {
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

// The rules themselves, for each way that a new piece can lie on an old one: begins before, with, behind it; ends before, with, behind it.
static void policies() {
  struct Rule {
    Overlap policy;
    const char *segment, *fragment;  // nine letters each: y where the newer one wins
  };
  for (const Rule& r : {Rule{Overlap::first, "nnnnnnnnn", "nnnnnnnnn"}, Rule{Overlap::last, "yyyyyyyyy", "yyyyyyyyy"},
                        Rule{Overlap::bsd, "yyynnnnnn", "yyynnnnnn"}, Rule{Overlap::linux_, "yyynnynnn", "yyyyyynnn"},
                        Rule{Overlap::windows, "nnynnnnnn", "nnynnnnnn"}}) {
    for (uint32_t base : {1000u, 0xfffffff8u, 0x7ffffff8u}) {  // sequence numbers wrap
      std::string segment, fragment;
      for (uint32_t from : {8u, 10u, 12u})
        for (uint32_t to : {18u, 20u, 22u}) {
          segment += newer_segment_wins(r.policy, base + 10, base + 20, base + from, base + to) ? 'y' : 'n';
          fragment += newer_fragment_wins(r.policy, 10, 20, from, to) ? 'y' : 'n';
        }
      check(segment == r.segment, "which of two segments wins");
      check(fragment == r.fragment, "which of two fragments wins");
    }
  }
}

// What stands between the frame and the inner packet: where that begins, and what was entered on the way.
static void tunnels() {
  auto bytes = [](const std::string& text) {
    std::vector<uint8_t> b;
    for (size_t i = 0; i + 1 < text.size(); i += 2)
      if (text[i] == ' ') i--;
      else b.push_back(static_cast<uint8_t>(std::stoi(text.substr(i, 2), nullptr, 16)));
    return b;
  };
  auto ip4 = [&](const char* protocol, const std::string& payload) {  // 192.0.2.1 → 192.0.2.2
    char length[5];
    snprintf(length, sizeof length, "%04x", static_cast<unsigned>(20 + payload.size() / 2));
    std::string head = std::string("4500") + length + "00000000" + "40" + protocol + "0000c0000201c0000202";
    uint32_t sum = 0;
    for (size_t i = 0; i < head.size(); i += 4) sum += static_cast<uint32_t>(std::stoi(head.substr(i, 4), nullptr, 16));
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    snprintf(length, sizeof length, "%04x", ~sum & 0xffff);
    return head.replace(20, 4, length) + payload;
  };
  auto ip6 = [&](const char* next, const std::string& payload) {
    char length[5];
    snprintf(length, sizeof length, "%04x", static_cast<unsigned>(payload.size() / 2));
    return std::string("60000000") + length + next + "40" + "20010db8000000000000000000000001" + "20010db8000000000000000000000002" + payload;
  };
  auto udp = [](const char* port, const std::string& payload) {
    char length[5];
    snprintf(length, sizeof length, "%04x", static_cast<unsigned>(8 + payload.size() / 2));
    return std::string("c000") + port + length + "0000" + payload;
  };
  const std::string eth = "020000000002020000000001", inner = ip4("11", "1111222200080000"), inner6 = ip6("11", "1111222200080000");
  struct Case {
    const char* what;
    std::string frame;
    const char* tunnels;
    int version;
  };
  const Case cases[] = {
      {"plain", eth + "0800" + inner, "", 4},
      {"a VLAN", eth + "81000064" + "0800" + inner, "", 4},
      {"QinQ", eth + "88a80064" + "81000065" + "0800" + inner, "", 4},
      {"MPLS, two labels", eth + "8847" + "00010040" + "00011140" + inner, "mpls", 4},
      {"MPLS with IPv6", eth + "8847" + "00011140" + inner6, "mpls", 6},
      {"MPLS with a control word and Ethernet", eth + "8847" + "00011140" + "00000000" + eth + "0800" + inner, "mpls", 4},
      {"MPLS with Ethernet", eth + "8847" + "00011140" + "ff0000000002020000000001" + "0800" + inner, "mpls", 4},
      {"PPPoE", eth + "8864" + "11000001" + "001e" + "0021" + inner, "pppoe", 4},
      {"4 in 4", eth + "0800" + ip4("04", inner), "4in4", 4},
      {"6 in 4", eth + "0800" + ip4("29", inner6), "6in4", 6},
      {"4 in 6", eth + "86dd" + ip6("04", inner), "4in6", 4},
      {"6 in 6", eth + "86dd" + ip6("29", inner6), "6in6", 6},
      {"GRE", eth + "0800" + ip4("2f", "00000800" + inner), "gre", 4},
      {"GRE with checksum, key and number", eth + "0800" + ip4("2f", "b0000800" + std::string("00000000") + "00000007" + "00000001" + inner), "gre", 4},
      {"GRE with routing", eth + "0800" + ip4("2f", "40000800" + std::string("00000000") + "00020004" + "c0000201" + "00000000" + inner), "gre", 4},
      {"GRE with Ethernet", eth + "0800" + ip4("2f", "00006558" + eth + "0800" + inner), "gre", 4},
      {"ERSPAN II", eth + "0800" + ip4("2f", "100088be" + std::string("00000001") + "1001000100000001" + eth + "0800" + inner), "erspan", 4},
      {"VXLAN", eth + "0800" + ip4("11", udp("12b5", "0800000000000700" + eth + "0800" + inner)), "vxlan", 4},
      {"Geneve with an option", eth + "0800" + ip4("11", udp("17c1", "0200655800000700" + std::string("0101000100000000") + eth + "0800" + inner)), "geneve", 4},
      {"GTP-U", eth + "0800" + ip4("11", udp("0868", "30ff001c00000001" + inner)), "gtp", 4},
      {"GTP-U with a number", eth + "0800" + ip4("11", udp("0868", "32ff002000000001" + std::string("00010000") + inner)), "gtp", 4},
      {"L2TP", eth + "0800" + ip4("11", udp("06a5", "000200010001" + std::string("0021") + inner)), "l2tp", 4},
      {"L2TP with length, numbers and an offset", eth + "0800" + ip4("11", udp("06a5", "4a02" + std::string("0030") + "00010001" + "00010001" + "0002" + "ffff" + "0021" + inner)), "l2tp", 4},
      {"Teredo", eth + "0800" + ip4("11", udp("0dd8", inner6)), "teredo", 6},
      {"Teredo with an origin", eth + "0800" + ip4("11", udp("0dd8", "0000ffffffffffff" + inner6)), "teredo", 6},
      {"extension headers", eth + "86dd" + ip6("00", "3c000104000000002b00010400000000" + std::string("1100040000000000") + "1111222200080000"), "", 6},
  };
  for (const Case& c : cases) {
    std::vector<uint8_t> b = bytes(c.frame);
    auto n = static_cast<uint32_t>(b.size());
    Packet p;
    dissect(1, b.data(), n, n, p);
    std::string names;
    for (int i = 0; i < p.tunnels; i++) names += (i ? "," : "") + std::string(tunnel_name(p.tunnel[i]));
    bool whole = p.carries == Carries::ip && names == c.tunnels && p.version == c.version && p.protocol == 17 && p.payload_len == 8 &&
                 p.payload_cap == 8 && p.payload && be32(p.payload) == 0x11112222 && p.oddities.count == 0;
    if (!whole) printf("%s: %s, version %d, protocol %d, %u bytes, %d oddities\n", c.what, names.c_str(), p.version, p.protocol, p.payload_len, p.oddities.count);
    check(whole, c.what);
    // One byte fewer of the inner packet was captured: the same, cut.
    Packet cut;
    dissect(1, b.data(), n - 1, n, cut);
    check(cut.carries == Carries::ip && cut.payload_cap == 7 && cut.payload_len == 8, "the same, cut by the snapshot length");
  }
}

static void every_cut() {
  Maker m;
  m.handshake();
  for (uint32_t i = 0; i < 40; i++) m.tcp(true, 100 + 3 * (i ^ 1), 500, ACK, "abc");
  Outcome whole = m.outcome();
  bool same = true, survives = true;
  for (size_t window : {64u, 200u, 1000u, 1u << 20})
    for (uint32_t shards : {1u, 3u}) same &= run_capture(m.file.data(), m.file.size(), window, shards, Overlap::linux_, true).stream == whole.stream;
  for (size_t cut = 0; cut < m.file.size(); cut++) survives &= run_capture(m.file.data(), cut, 1 << 16, 1).packets <= whole.packets;
  check(same, "windows and shards do not change what is delivered");
  check(survives, "a capture cut at any byte is read as far as it goes");
}

// Three runs of lines in memory, read a few bytes at a time.
static void merging() {
  struct Memory {
    std::string text;
    std::vector<PartKey> keys;
    size_t text_at = 0, keys_at = 0;
  };
  auto reader = [](const uint8_t* data, size_t len, size_t* at) {
    return [=](uint8_t* into, size_t most) -> int64_t {
      size_t n = std::min({most, len - *at, static_cast<size_t>(7)});
      if (n) memcpy(into, data + *at, n);
      *at += n;
      return static_cast<int64_t>(n);
    };
  };
  Memory memory[3];
  std::vector<std::string> all;
  for (int i = 0; i < 300; i++) {
    char line[64];
    snprintf(line, sizeof line, "%05d %s\n", i, std::string(static_cast<size_t>(i % 40), 'x').c_str());
    all.push_back(line);
    Memory& m = memory[i % 7 % 3];
    PartKey k{};
    k.seconds = i / 100, k.nanos = static_cast<uint32_t>(i / 10 % 10), k.packet = i % 10 / 2, k.id[0] = static_cast<uint8_t>(i % 2);
    k.length = static_cast<uint32_t>(all.back().size());
    m.text += all.back();
    m.keys.push_back(k);
  }
  auto merged = [&](std::string& out) {
    std::vector<RunReader> runs;
    for (Memory& m : memory) {
      m.text_at = m.keys_at = 0;
      runs.push_back({reader(reinterpret_cast<const uint8_t*>(m.text.data()), m.text.size(), &m.text_at),
                      reader(reinterpret_cast<const uint8_t*>(m.keys.data()), m.keys.size() * sizeof(PartKey), &m.keys_at)});
    }
    return merge_runs(runs, [&](const uint8_t* p, size_t n) {
      out.append(reinterpret_cast<const char*>(p), n);
      return true;
    });
  };
  std::string want, got;
  for (const std::string& line : all) want += line;
  check(merged(got) == 0 && got == want, "runs merge by seconds, nanoseconds, packet and id");
  memory[1].text.resize(memory[1].text.size() - 3);
  got.clear();
  check(merged(got) == -EIO, "a run shorter than its keys say is an error");
}

// A snapshot cut short, or of another shard, is refused and frees what it made.
static void snapshots() {
  Options o;
  Engine engine(o);
  std::vector<uint8_t> file = pcap_head(1), frame(60);
  frame[12] = 8, frame[14] = 0x45, frame[17] = 46, frame[23] = 17, frame[37] = 53, frame[39] = 26;
  Outcome whole = run_capture(file.data(), file.size(), 4096, 1);
  for (int i = 0; i < 20; i++) {
    frame[33] = static_cast<uint8_t>(i / 2);
    frame[29] = 9;
    pcap_add(file, static_cast<uint32_t>(i), frame.data(), frame.size());
  }
  whole = run_capture(file.data(), file.size(), 4096, 1);
  check(whole.flows == 10, "ten conversations");
  for (size_t segment : {1, 3, 7}) {
    Outcome cut = run_capture(file.data(), file.size(), 4096, 1, Overlap::linux_, false, nullptr, segment);
    check(cut.sum == whole.sum && cut.events == whole.events, "the same events when the engine is written out and read back in between");
  }
  std::vector<uint8_t> bytes;
  SnapshotOut out([&](const uint8_t* p, size_t n) { bytes.insert(bytes.end(), p, p + n); });
  engine.save(out);
  auto restored = [&](size_t length, Options options) {
    bool given = false;
    SnapshotIn in([&](std::vector<uint8_t>& into) {
      if (given) return false;
      into.assign(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
      return given = true;
    });
    Engine e(options);
    return e.restore(in);
  };
  check(restored(bytes.size(), o), "a whole snapshot is read");
  bool refused = true;
  for (size_t n = 0; n < bytes.size(); n++) refused = refused && !restored(n, o);
  check(refused, "a snapshot cut short anywhere is refused");
  Options other;
  other.shards = 2;
  check(!restored(bytes.size(), other), "a snapshot of another shard is refused");
}

int main() {
  snapshots();
  digests();
  community_ids();
  addresses();
  filters();
  serial_lines();
  streams();
  interims();
  fragments();
  policies();
  tunnels();
  every_cut();
  merging();
  printf("native: %d passed, %d failed\n", passed, failed);
  return failed ? 1 : 0;
}
