// TCP: order, overlap, gaps, and what is told of open flows.
#include <algorithm>
#include <string>

#include "connection.h"

namespace tf {

static void orders() {
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

  // Each packet in a push of its own: the flow is packed in between, and what was delivered with it.
  for (const char* copy : {"defg", "dexg"}) {
    Maker packed;
    packed.handshake();
    packed.tcp(true, 100, 500, ACK, "abc");
    packed.tcp(true, 103, 500, ACK, "defg");
    packed.tcp(false, 500, 90, ACK, "xy");
    packed.tcp(true, 103, 500, ACK, copy);
    Outcome o = run_capture(packed.file.data(), packed.file.size(), 16, 1, Overlap::linux_, true);
    check((note(o, Anomaly::tcp_overlap_conflict) != nullptr) == (copy[2] == 'x') && !note(o, Anomaly::tcp_overlap_unverified),
          "what a packed flow delivered is compared with its copy");
  }

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

  for (uint32_t before : {1, 0}) {
    Maker late;
    late.tcp(true, 100, 900, ACK, "mid");
    late.tcp(true, 100 - before, 0, SYN, "");
    check(late.outcome().flows == (before ? 1 : 2), "a SYN that comes late stands just before the first byte; one that does not begins another connection");
  }

  Maker middle;
  middle.tcp(true, 5000, 900, ACK, "mid");
  middle.tcp(true, 5003, 900, ACK, "dle");
  check(text(middle.outcome()) == "middle", "a connection picked up in the middle");

  const std::string zero(1, 0);
  for (const std::string& probe : {std::string(), zero})
    for (bool answered : {true, false}) {
      Maker idle;
      idle.tcp(true, 4999, 900, ACK, probe);
      if (answered) idle.tcp(false, 900, 5000, ACK, "");
      idle.tcp(true, 5000, 900, ACK, "middle");
      Outcome o = idle.outcome();
      check(text(o) == "middle" && !note(o, Anomaly::tcp_gap), "picked up with a keep-alive: its number is one before the stream's, nothing is missing");
    }
  Maker single;
  single.tcp(true, 5000, 900, ACK, "m");
  single.tcp(true, 5001, 900, ACK, "iddle");
  check(text(single.outcome()) == "middle", "picked up with one byte of data");
  Maker lost;
  lost.tcp(true, 5000, 900, ACK, "");
  lost.tcp(true, 5002, 900, ACK, "ddle");
  lost.tcp(false, 900, 5006, ACK, "");
  Outcome two = lost.outcome();
  const EventRow* missing = note(two, Anomaly::tcp_gap);
  check(text(two) == "ddle" && missing && missing->length == 2, "bytes that are missing behind an empty segment are missing");

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

// What an oddity tells beside its name: where, what was to be expected, what was there.
static void told() {
  Maker answered;
  answered.tcp(true, 99, 0, SYN, "");
  answered.tcp(false, 499, 777, SYN | ACK, "");
  Outcome a = answered.outcome();
  const EventRow* r = note(a, Anomaly::tcp_synack_ack_invalid);
  check(r && r->offset == 8 && r->length == 100 && r->side == 777, "an answer to another SYN: the number that was to be expected, and the one that came");

  Maker waits;
  waits.handshake();
  waits.tcp(true, 110, 500, ACK, "waits");
  waits.tcp(true, 112, 500, ACK, "XX");
  Outcome w = waits.outcome();
  const EventRow* conflict = note(w, Anomaly::tcp_overlap_conflict);
  check(conflict && conflict->offset == 12 && conflict->length == 2 && conflict->side == 5, "a conflict above a hole: its place in the stream, and both lengths");

  // Far beyond the other side's window; how large that is the other side says.
  for (bool client : {true, false})
    for (bool inside : {true, false}) {
      Maker m;
      m.handshake();
      uint32_t next = client ? 100 : 500, ack = client ? 500 : 100;
      m.window = 1000;
      m.tcp(!client, ack, next, ACK, "");
      m.window = 65535;
      m.tcp(client, next, ack, ACK, "a");
      m.tcp(client, next + (1 << 20) + (inside ? 1000 : 1002), ack, ACK, "far");
      check((note(m.outcome(), Anomaly::tcp_out_of_window) != nullptr) == !inside, "data far outside of the window is said, and only that");
    }
}

void streams() {
  told();
  orders();
  interims();
  policies();
  every_cut();
}

}  // namespace tf
