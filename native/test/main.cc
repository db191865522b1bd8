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
  fragments();
  every_cut();
  merging();
  printf("native: %d passed, %d failed\n", passed, failed);
  return failed ? 1 : 0;
}
