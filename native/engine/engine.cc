#include "engine.h"

#include <algorithm>

#include "../wire/dissect.h"

namespace tf {

Engine::Engine(const Options& o)
    : options_(o), flows_(o.key, o.quiet), defrag_(o.key, o.ip_overlap), streams_(*this, o.tcp_overlap) {}

uint32_t Engine::push(const IndexRow* rows, uint32_t count, uint64_t first_packet, const uint8_t* window, uint64_t base, uint64_t len,
                      Batch& b) {
  b_ = &b;
  window_ = window;
  uint32_t n = 0;
  for (; n < count; n++) {
    const IndexRow& row = rows[n];
    if (row.flags & (kFiltered | kDuplicate)) continue;
    uint32_t owner = row.flags & (kNoTuple | kUndecodable) ? 0 : row.hash % options_.shards;
    if (owner != options_.shard) continue;
    if (row.offset < base || row.offset + row.caplen > base + len || !b.room()) break;
    expire(row.clock, 32);
    if (!b.room()) break;
    take(row, first_packet + n, window + (row.offset - base));
  }
  for (auto [slot, serial] : dirty_) flows_.change(slot, serial, [&](Flow& f) { streams_.keep(f); });
  dirty_.clear();
  flows_.rest(clock_);
  return n;
}

void Engine::take(const IndexRow& row, uint64_t packet, const uint8_t* p) {
  clock_ = row.clock;
  uint32_t linktype = row.interface < linktypes_.size() ? linktypes_[row.interface] : 0xffff;
  Packet out;
  out.interface = row.interface;
  dissect(linktype, p, row.caplen, row.length, out);
  if (row.flags & kTimeClamped) out.oddities.add(Anomaly::timestamp_out_of_range);
  if (row.flags & kCaplenExcess) out.oddities.add(Anomaly::caplen_exceeds_length, 0, row.length, row.caplen);
  switch (out.carries) {
    case Carries::nothing: case Carries::frame: loose(out.oddities, packet, row.time); break;
    case Carries::arp: frame(out, row, packet); break;
    case Carries::fragment: fragment(out, row, packet, 0); break;
    case Carries::ip: ip(out, packet, row.time, row.clock, nullptr); break;
  }
}

// The completing fragment's packet goes on with the whole payload; that may hold a tunnel, and in it another fragment.
void Engine::fragment(const Packet& p, const IndexRow& row, uint64_t packet, int depth) {
  if (std::unique_ptr<Datagram> old = defrag_.too_old(p, row.clock)) given_up(*old, EndReason::timeout);
  std::unique_ptr<Datagram> d = defrag_.add(p, packet, row.time, row.clock);
  if (!d) return;
  Packet whole = p;
  whole.oddities = d->oddities;
  whole.protocol = d->protocol;
  dissect_payload(d->whole.data(), static_cast<uint32_t>(d->whole.size()), whole);
  if (whole.carries == Carries::ip) ip(whole, packet, row.time, row.clock, whole.tunnels == p.tunnels ? &d->pieces : nullptr);
  else if (whole.carries == Carries::arp) frame(whole, row, packet);
  else if (whole.carries == Carries::fragment && depth < kMaxTunnels) fragment(whole, row, packet, depth + 1);
}

void Engine::loose(const Oddities& o, uint64_t packet, int64_t time) {
  for (int i = 0; i < o.count; i++) {
    const Oddity& x = o.at[i];
    auto it = std::find_if(loose_.begin(), loose_.end(), [&](const Note& n) { return n.name == x.name; });
    if (it != loose_.end()) it->count++;
    else loose_.push_back({x.name, 1, packet, time, x.offset, x.needed, x.had});
  }
}

void Engine::given_up(const Datagram& d, EndReason reason) {
  bool forward = false;
  Packet p = d.head;
  const Piece& first = d.pieces.front();
  // Ports and the first bytes of payload stand in the first fragment, where that came. The flow stays one of its own.
  Transport t;
  auto begins = std::find_if(d.pieces.begin(), d.pieces.end(), [](const Piece& x) { return x.offset == 0 && x.len > 0; });
  if (begins != d.pieces.end()) {
    p.protocol = d.protocol;
    p.payload = d.bytes.data() + begins->at;
    p.payload_cap = begins->len;
    p.payload_len = std::max(begins->len, d.total);
    p.snapped = true;
    read_transport(p, t, false);
  }
  FlowKey key = fragment_key(p, &forward);
  if (t.has_ports) {
    key.port_a = forward ? t.sport : t.dport;
    key.port_b = forward ? t.dport : t.sport;
  }
  Flow* f = flows_.create(key, flows_.hash(key));
  begin(*f, p, t, forward, first.packet, first.time, first.clock);
  delete f->tcp;
  f->tcp = nullptr;
  f->fragment = true;
  for (int i = 0; i < d.oddities.count; i++) {
    const Oddity& o = d.oddities.at[i];
    f->note(o.name, first.packet, first.time, o.offset, o.needed, o.had);
  }
  p.oddities.count = 0;
  int side = forward == f->side0_forward ? 0 : 1;
  count(*f, side, p, t, first.packet, first.time, first.clock, &d.pieces);
  if (t.kind == Kind::udp && t.whole) {
    p.reassembled = true;
    datagram(*f, side, t, p, begins->packet, begins->time);
  }
  flows_.touch(f);
  close(f, reason);
}

void Engine::begin(Flow& f, const Packet& p, const Transport& t, bool forward, uint64_t packet, int64_t time, uint64_t clock) {
  f.kind = t.kind;
  f.version = p.version;
  f.interface = p.interface;
  f.ports = t.has_ports;
  f.icmp_type = t.icmp_type;
  f.icmp_code = t.icmp_code;
  // SEMANTICS 20: the SYN's sender, else the receiver of a SYN-ACK, else the sender of the first packet.
  bool synack = t.kind == Kind::tcp && t.whole && (t.flags & (SYN | ACK | RST)) == (SYN | ACK);
  bool reply = t.whole && ((t.kind == Kind::icmp && (t.icmp_type == 0 || t.icmp_type == 14 || t.icmp_type == 16 || t.icmp_type == 18)) ||
                           (t.kind == Kind::icmp6 && t.icmp_type == 129));
  f.side0_forward = synack || reply ? !forward : forward;
  f.first_packet = packet;
  f.first_time = f.start = f.end = time;
  f.last_clock = clock;
  f.interim_at = clock + std::min(options_.interim, kFirstInterim);
  f.has_mac = p.has_mac;
  if (p.has_mac) {
    int sender = f.side0_forward == forward ? 0 : 1;
    memcpy(f.mac[sender], p.mac_source, 6);
    memcpy(f.mac[1 - sender], p.mac_destination, 6);
  }
  f.vlans = p.vlans;
  memcpy(f.vlan, p.vlan, sizeof f.vlan);
  f.tunnels = p.tunnels;
  memcpy(f.tunnel, p.tunnel, sizeof f.tunnel);
  if (t.kind == Kind::tcp && t.whole) f.tcp = new Tcp();
}

void Engine::count(Flow& f, int side, const Packet& p, const Transport& t, uint64_t packet, int64_t time, uint64_t clock,
                   const std::vector<Piece>* pieces) {
  SideCount& s = f.side[side];
  if (pieces) {
    s.packets += pieces->size();
    for (const Piece& piece : *pieces) {
      s.bytes += piece.ip_bytes;
      f.start = std::min(f.start, piece.time);
      f.end = std::max(f.end, piece.time);
    }
  } else {
    s.packets++;
    s.bytes += p.ip_bytes;
  }
  f.start = std::min(f.start, time);
  f.end = std::max(f.end, time);
  f.last_clock = clock;
  if (t.whole) {
    s.payload += t.kind == Kind::icmp || t.kind == Kind::icmp6 ? (t.data_len > 8 ? t.data_len - 8 : 0) : t.data_len;
    s.flags |= t.flags;
  }
  for (int i = 0; i < p.oddities.count; i++) {
    const Oddity& o = p.oddities.at[i];
    f.note(o.name, packet, time, o.offset, o.needed, o.had);
    if (o.name == Anomaly::tcp_checksum_bad && f.kind == Kind::tcp) f.letter(side, 'c');
  }
  if (f.vlans != p.vlans || (p.vlans && memcmp(f.vlan, p.vlan, p.vlans * sizeof p.vlan[0]) != 0))
    f.note(Anomaly::flow_vlan_mixed, packet, time, 12, f.vlans ? f.vlan[0] : 0, p.vlans ? p.vlan[0] : 0);
}

Flow* Engine::flow_for(const FlowKey& key, uint64_t clock, const Transport& t, bool forward) {
  Flow* f = flows_.find(key, flows_.hash(key));
  if (!f) return nullptr;
  if (clock > f->last_clock + f->timeout()) {
    close(f, EndReason::timeout);
    return nullptr;
  }
  if (t.kind == Kind::tcp && t.whole && Reassembly::begins_anew(*f, forward == f->side0_forward ? 0 : 1, t)) {
    close(f, EndReason::timeout);
    return nullptr;
  }
  return f;
}

void Engine::ip(Packet& p, uint64_t packet, int64_t time, uint64_t clock, const std::vector<Piece>* pieces) {
  Transport t;
  read_transport(p, t, true);
  bool forward = false;
  FlowKey key = flow_key(p, t, &forward);
  Flow* f = flow_for(key, clock, t, forward);
  if (!f) {
    if (flows_.size() >= kMaxFlows) {
      flow_limit_++;
      const Link* oldest = nullptr;
      for (int l = 0; l < FlowTable::kLists; l++) {
        const Link* o = flows_.oldest(l);
        if (o && (!oldest || o->last_clock < oldest->last_clock)) oldest = o;
      }
      close(flows_.awake(oldest), EndReason::timeout);
    }
    f = flows_.create(key, flows_.hash(key));
    begin(*f, p, t, forward, packet, time, clock);
  }
  int side = forward == f->side0_forward ? 0 : 1;
  if (t.kind == Kind::tcp && t.whole && !f->tcp) f->tcp = new Tcp();
  // A SYN that comes late tells who began, as long as nobody has been told otherwise.
  if (f->tcp && !f->opened && t.whole && !f->tcp->syn_seen && (t.flags & (SYN | RST)) == SYN) {
    bool syn_by_other = t.flags & ACK ? side == 0 : side == 1;
    if (syn_by_other && f->history_len == 0) f->side0_forward = !f->side0_forward, side = 1 - side;
  }
  count(*f, side, p, t, packet, time, clock, pieces);
  if (f->tcp && t.whole) {
    bool was = f->dirty;
    streams_.segment(*f, side, t, !p.reassembled, packet, time);
    if (f->dirty && !was) dirty_.emplace_back(f->slot, f->serial);
  } else if (t.whole && (t.kind == Kind::udp || t.kind == Kind::icmp || t.kind == Kind::icmp6)) {
    datagram(*f, side, t, p, packet, time);
  }
  flows_.touch(f);
  if (options_.interim) interim(*f, clock);
}

void Engine::datagram(Flow& f, int side, const Transport& t, const Packet& p, uint64_t packet, int64_t time) {
  if (t.kind == Kind::udp && t.data_len == 0) return;
  if (f.stopped[side]) return;
  if (!f.opened || f.forgotten) open(f);
  EventRow& r = b_->row(Event::datagram, f.slot);
  stamp(r, packet, time);
  r.side = static_cast<uint32_t>(side);
  r.extra = t.data_len > t.data_cap ? t.data_len - t.data_cap : 0;
  locate(r, t.data, t.data_cap, !p.reassembled);
  if (t.icmp_error && t.quoted.legible) {
    const Quoted& q = t.quoted;
    std::string s = address_text(q.source) + '\t' + address_text(q.destination) + '\t';
    s += std::to_string(q.sport) + '\t' + std::to_string(q.dport) + '\t' + std::to_string(q.protocol) + '\t' + (q.has_ports ? '1' : '0') + '\t';
    if (q.protocol == 1 || q.protocol == 58)
      s += community_id_icmp(q.source, q.destination, q.protocol, static_cast<uint8_t>(q.sport), static_cast<uint8_t>(q.dport));
    else
      s += community_id(q.source, q.destination, q.protocol, q.sport, q.dport, q.has_ports);
    b_->put_text(r, s);
  }
}

void Engine::suppress(uint32_t slot, uint32_t serial, int side, bool stop, uint64_t upto) {
  flows_.change(slot, serial, [&](Flow& f) {
    if (stop) f.stopped[side & 1] = true;
    else f.skip_to[side & 1] = std::max(f.skip_to[side & 1], upto);
  });
}

void Engine::forget(uint32_t slot, uint32_t serial) {
  flows_.change(slot, serial, [](Flow& f) { f.forgotten = true; });
}

void Engine::close(Flow* f, EndReason reason) {
  streams_.finish(*f);
  if (f->tcp && f->tcp->reset) reason = EndReason::rst;
  else if (f->tcp && f->tcp->fins_first) reason = EndReason::fin;
  for (const Note& n : f->notes) note_row(f->slot, n);
  tell(Event::close, *f, reason);
  flows_.remove(f);
}

// Flows and datagrams whose timeout the clock has passed leave memory. When they do is nobody's business: their end is the same at any time.
void Engine::expire(uint64_t clock, uint32_t most) {
  for (int l = 0; l < FlowTable::kLists; l++)
    while (most && b_->room()) {
      const Link* f = flows_.oldest(l);
      if (!f || clock <= f->last_clock + FlowTable::timeout_of(l)) break;
      close(flows_.awake(f), EndReason::timeout);
      most--;
    }
  while (most && b_->room()) {
    std::unique_ptr<Datagram> d = defrag_.give_up(clock, false);
    if (!d) break;
    given_up(*d, EndReason::timeout);
    most--;
  }
}

bool Engine::finish(uint64_t clock, Batch& b) {
  b_ = &b;
  window_ = nullptr;
  while (b.room()) {
    std::unique_ptr<Datagram> d = defrag_.give_up(clock, true);
    if (!d) break;
    given_up(*d, clock > d->started + kFragmentTimeout ? EndReason::timeout : EndReason::capture_end);
  }
  for (int l = 0; l < FlowTable::kLists; l++)
    while (const Link* f = flows_.oldest(l)) {
      if (!b.room()) return false;
      EndReason reason = clock > f->last_clock + FlowTable::timeout_of(l) ? EndReason::timeout : EndReason::capture_end;
      close(flows_.awake(f), reason);
    }
  if (!b.room()) return false;
  if (!loose_told_) {
    for (const Note& n : loose_) note_row(kNoFlow, n);
    loose_told_ = true;
  }
  return true;
}

}  // namespace tf
