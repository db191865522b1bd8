#include "reassembly.h"

#include <algorithm>

namespace tf {
namespace {
constexpr int32_t kReorder = 1 << 20;  // how far back a SYN may belong to data already seen
}  // namespace

bool Reassembly::begins_anew(const Flow& f, int side, const Transport& t) {
  if (!f.tcp || (t.flags & (SYN | ACK | RST)) != SYN) return false;
  const Half& h = f.tcp->half[side];
  if (h.has_isn) return h.isn != t.seq;
  if (!h.synced) return f.tcp->reset || f.tcp->fins_first;
  int32_t before = seq_diff(h.next - static_cast<uint32_t>(h.stream), t.seq + 1);  // a late SYN stands just before the first byte
  return before < 0 || before > kReorder;
}

// Zeek's endpoint states, moved by one packet's flags.
void Reassembly::endpoint(Tcp& tcp, int side, uint8_t flags) {
  Endpoint &mine = tcp.state[side], &peer = tcp.state[1 - side];
  if (flags & RST) {
    if (!tcp.fins_first) mine = Endpoint::reset;
    return;
  }
  if (flags & SYN) {
    if (mine == Endpoint::inactive) mine = flags & ACK ? Endpoint::syn_ack_sent : Endpoint::syn_sent;
    if (flags & ACK && peer == Endpoint::syn_sent && mine <= Endpoint::syn_ack_sent) mine = peer = Endpoint::established;
    return;
  }
  if (mine == Endpoint::inactive) mine = Endpoint::partial;
  if (mine == Endpoint::syn_sent && peer == Endpoint::partial) mine = peer = Endpoint::established;
  if (mine == Endpoint::partial && peer == Endpoint::syn_sent && flags & ACK) mine = peer = Endpoint::established;
  if (flags & FIN && mine != Endpoint::reset) mine = Endpoint::closed;
}

void Reassembly::control(Flow& f, int side, const Transport& t, uint64_t packet, int64_t time) {
  Tcp& tcp = *f.tcp;
  Half &h = tcp.half[side], &peer = tcp.half[1 - side];
  const uint8_t flags = t.flags;
  bool syn = flags & SYN, ack = flags & ACK;
  if (syn) {
    f.letter(side, ack ? 'h' : 's');
    if (!h.has_isn) {
      h.isn = t.seq;
      h.has_isn = true;
      if (!h.synced) h.next = h.highest = t.seq + 1;
      h.synced = true;
    }
    h.scale = t.window_scale;
    h.mss = t.mss;
    if (!ack) {
      if (!tcp.syn_seen) tcp.syn_time = time;
      tcp.syn_seen = true;
      if (side == 1 && peer.has_isn) f.note(Anomaly::tcp_split_handshake, packet, time);
    } else {
      tcp.synack_seen = true;
      if (peer.has_isn && t.ack != peer.isn + 1 && seq_diff(t.ack, peer.highest) > 0)
        f.note(Anomaly::tcp_synack_ack_invalid, packet, time, 8, peer.isn + 1, t.ack);
      if (!peer.synced) {
        peer.next = peer.highest = t.ack;
        peer.synced = true;
      }
    }
    if (t.data_len && !(flags & RST)) f.note(Anomaly::tcp_syn_data, packet, time, 0, 0, t.data_len);
  } else if (ack && !tcp.ack_seen && side == 0 && tcp.syn_seen && tcp.synack_seen) {
    tcp.ack_seen = true;
    tcp.ack_time = time;
  }
  // RFC 7323 §2.2: windows are scaled only where both sides offered it, and never in a SYN itself.
  bool scaled = !syn && h.scale != 0xff && peer.scale != 0xff;
  h.window = scaled ? static_cast<uint32_t>(t.window) << h.scale : t.window;
  if (t.window == 0 && !(flags & (SYN | RST | FIN))) f.letter(side, 'w');
  if (flags & URG) f.note(Anomaly::tcp_urgent, packet, time, 18, 0, t.urgent);
  if (flags & FIN) f.letter(side, 'f');
  if ((flags & (SYN | FIN)) == (SYN | FIN)) f.letter(side, 'q');
  if ((flags & (SYN | RST)) == (SYN | RST)) f.letter(side, 'i');
  if (flags & RST) {
    f.letter(side, 'r');
    int32_t off = h.synced ? seq_diff(t.seq, h.next) : 0;
    int32_t window = static_cast<int32_t>(std::min<uint32_t>(std::max(peer.window, 65535u), 1u << 30));
    if (h.synced && (off < -1 || off > window) && !(peer.has_ack && t.seq == peer.acked)) {
      f.note(Anomaly::tcp_rst_out_of_window, packet, time, 4, h.next, t.seq);
      return;
    }
  }
  if (!syn && !(flags & (FIN | RST)) && ack && t.data_len == 0) f.letter(side, 'a');
  endpoint(tcp, side, flags);
  if (flags & RST && !tcp.fins_first) tcp.reset = true;
}

void Reassembly::acknowledge(Flow& f, int side, uint32_t ack) {
  Half& other = f.tcp->half[1 - side];  // the side whose bytes are acknowledged
  if (other.has_ack && seq_diff(ack, other.acked) <= 0) return;
  other.acked = ack;
  other.has_ack = true;
  if (!other.retained.empty()) release(other, ack);
}

void Reassembly::deliver(Flow& f, int side, const uint8_t* p, uint32_t have, uint32_t len, bool in_window, uint64_t packet, int64_t time) {
  Half& h = f.tcp->half[side];
  if (have) {
    retain(f, h, h.next, p, have, in_window);
    sink_.data(f, side, p, have, in_window, packet, time);
    h.stream += have;
  }
  if (have < len) {  // cut off by the snapshot length: missing at its place
    sink_.gap(f, side, len - have, packet, time);
    f.note(Anomaly::tcp_gap, packet, time, 0, len - have, 0);
    h.missed += len - have;
    h.stream += len - have;
  }
  h.next += len;
}

void Reassembly::drain(Flow& f, int side) {
  Half& h = f.tcp->half[side];
  size_t n = 0;
  while (n < h.waiting.size() && h.waiting[n].seq == h.next) {
    Segment& s = h.waiting[n++];
    h.waiting_bytes -= s.len;
    waiting_total_ -= s.have;
    deliver(f, side, s.bytes.data(), s.have, s.len, false, s.packet, s.time);
  }
  if (n) h.waiting.erase(h.waiting.begin(), h.waiting.begin() + static_cast<std::ptrdiff_t>(n));
  if (n || h.waiting.empty()) h.hole_packets = 0;
}

void Reassembly::fin(Flow& f, int side, uint64_t packet, int64_t time) {
  Tcp& tcp = *f.tcp;
  Half& h = tcp.half[side];
  if (!h.fin_seen || h.fin_done || seq_diff(h.next, h.fin_seq) < 0) return;
  h.fin_done = true;
  if (h.next == h.fin_seq) h.next++;
  sink_.side_end(f, side, packet, time);
}

void Reassembly::payload(Flow& f, int side, const Transport& t, bool in_window, uint64_t packet, int64_t time) {
  Half &h = f.tcp->half[side], &peer = f.tcp->half[1 - side];
  uint32_t seq = t.seq + (t.flags & SYN ? 1 : 0), len = t.data_len, have = std::min(t.data_cap, t.data_len);
  const uint8_t* p = t.data;
  uint32_t end = seq + len;
  if (h.fin_seen && seq_diff(end, h.fin_seq) > 0 && !(t.flags & FIN)) f.note(Anomaly::tcp_data_after_fin, packet, time, 4, h.fin_seq, end);
  if (h.fin_done) {
    if (len) f.letter(side, 't');
    return;
  }
  int32_t ahead = seq_diff(seq, h.next);
  bool known = h.has_isn && peer.has_isn && h.has_ack;
  if (known && ahead > kReorder && seq_diff(seq, h.acked) > static_cast<int32_t>(std::min(peer.window, 1u << 29)) + kReorder) {
    f.note(Anomaly::tcp_out_of_window, packet, time, 4, h.next, seq);
    return;
  }
  if (t.flags & FIN && !h.fin_seen) {
    h.fin_seen = true;
    h.fin_seq = end;
  }
  if (len == 0) return;
  bool again = seq_diff(end, h.highest) <= 0;
  if (len == 1 && ahead == -1) return;  // keep-alive (RFC 9293 §3.8.4): one byte before the next
  f.letter(side, 'd');
  if (ahead < 0) {
    uint32_t old = std::min(len, static_cast<uint32_t>(-static_cast<int64_t>(ahead)));
    h.retransmits++;
    f.letter(side, 't');
    if (static_cast<uint64_t>(-static_cast<int64_t>(ahead)) <= h.stream || h.has_isn)
      compare_delivered(f, h, seq, p, std::min(have, old), old, packet, time);
    if (old == len) return;
    p += std::min(have, old);
    have -= std::min(have, old);
    seq += old;
    len -= old;
  } else if (again && !h.waiting.empty()) {
    bool all = false;
    for (const Segment& s : h.waiting) all |= seq_diff(s.seq, seq) <= 0 && seq_diff(s.seq + s.len, end) >= 0;
    if (all) h.retransmits++, f.letter(side, 't');
    else h.out_of_order++;
  } else if (again) {
    h.out_of_order++;
  }
  if (!again) h.highest = end;
  if (seq == h.next && h.waiting.empty()) {
    deliver(f, side, p, have, len, in_window, packet, time);
    return;
  }
  Segment s{seq, len, have, t.seq + (t.flags & SYN ? 1 : 0), end, {}, packet, time};
  s.bytes.assign(p, p + have);
  insert(f, h, std::move(s));
  drain(f, side);
}

void Reassembly::give_up(Flow& f, int side, uint32_t to, uint64_t packet, int64_t time) {
  Half& h = f.tcp->half[side];
  uint32_t len = to - h.next;
  f.letter(side, 'g');
  f.note(Anomaly::tcp_gap, packet, time, static_cast<uint32_t>(h.stream), len, 0);
  sink_.gap(f, side, len, packet, time);
  h.missed += len;
  h.stream += len;
  h.next = to;
  h.hole_packets = 0;
  drain(f, side);
}

// SEMANTICS 17, looked at after each packet of the flow.
void Reassembly::holes(Flow& f, uint64_t packet, int64_t time) {
  for (int side = 0; side < 2; side++) {
    Half& h = f.tcp->half[side];
    if (!h.synced) continue;
    for (;;) {
      bool waiting = !h.waiting.empty();
      bool over = waiting && (h.waiting_bytes > kMaxWaitingBytes || h.waiting.size() > kMaxWaitingSegments);
      bool budget = waiting && waiting_total_ > kMaxWaitingTotal;
      if (budget && !over) waiting_limit++;
      if (over || budget) {
        give_up(f, side, h.waiting.front().seq, packet, time);
        continue;
      }
      bool acked = h.has_ack && seq_diff(h.acked, h.next) > 0 && !h.fin_done;
      if (!acked) break;
      if (h.hole_packets++ < kHolePackets) break;
      uint32_t to = waiting && seq_diff(h.waiting.front().seq, h.acked) < 0 ? h.waiting.front().seq : h.acked;
      if (!waiting && h.fin_seen && seq_diff(to, h.fin_seq) > 0) to = h.fin_seq;
      if (seq_diff(to, h.next) <= 0 || (!waiting && to - h.next > 1u << 30)) {
        h.hole_packets = 0;
        break;
      }
      give_up(f, side, to, packet, time);
    }
    fin(f, side, packet, time);
  }
  Tcp& tcp = *f.tcp;
  if (!tcp.reset && tcp.half[0].fin_seen && tcp.half[1].fin_seen) tcp.fins_first = true;
}

// What this side was picked up with was a keep-alive: its stream goes on one number later, and nothing is missing.
void Reassembly::past_probe(Half& h) {
  h.next++;
  h.highest = h.next;
  h.maybe_probe = false;
}

void Reassembly::segment(Flow& f, int side, const Transport& t, bool in_window, uint64_t packet, int64_t time) {
  control(f, side, t, packet, time);
  if (t.flags & ACK) acknowledge(f, side, t.ack);
  Half &h = f.tcp->half[side], &other = f.tcp->half[1 - side];
  if (other.maybe_probe && other.has_ack && other.acked == other.next + 1) past_probe(other);
  if (!(t.flags & RST)) {  // what a RST carries is a diagnosis, not stream data (RFC 9293 §3.5.2)
    if (!h.synced) {
      // Picked up in the middle. A keep-alive (RFC 9293 §3.8.4) is empty or has one byte, a zero as stacks send it, which is not the stream's.
      h.synced = true;
      bool garbage = t.data_len == 1 && t.data_cap == 1 && t.data[0] == 0 && !(t.flags & SYN);
      h.next = h.highest = t.seq + (garbage ? 1 : 0);
      h.maybe_probe = t.data_len == 0 && !(t.flags & (SYN | FIN));
    } else if (h.maybe_probe && t.data_len) {
      if (t.seq == h.next + 1) past_probe(h);
      h.maybe_probe = false;
    }
    if (t.data_len || t.flags & FIN) payload(f, side, t, in_window, packet, time);
    drain(f, side);
  }
  holes(f, packet, time);
}

void Reassembly::finish(Flow& f) {
  if (!f.tcp) return;
  for (int side = 0; side < 2; side++) {
    Half& h = f.tcp->half[side];
    while (!h.waiting.empty()) give_up(f, side, h.waiting.front().seq, h.waiting.front().packet, h.waiting.front().time);
    // Acknowledged, never captured, and nothing after it. A FIN that was not captured takes one number too.
    if (h.synced && h.has_ack && !h.fin_done) {
      uint32_t to = h.fin_seen && seq_diff(h.acked, h.fin_seq) > 0 ? h.fin_seq : h.acked;
      int32_t lost = seq_diff(to, h.next);
      if (lost > 1 && lost < 1 << 30) give_up(f, side, to, f.first_packet, f.end);
    }
    if (!h.retained.empty()) release(h, h.retained.back().seq + h.retained.back().len);
  }
}

}  // namespace tf
