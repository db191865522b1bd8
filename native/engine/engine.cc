#include "engine.h"

#include <algorithm>

#include "../wire/digest.h"
#include "../wire/dissect.h"

namespace tf {
namespace {

// Seconds rounded down, so that nanoseconds are never negative.
int64_t whole_seconds(int64_t t) { return t >= 0 ? t / 1000000000 : (t - 999999999) / 1000000000; }

void mac_text(std::string& s, const uint8_t* m) {
  for (int i = 0; i < 6; i++) {
    if (i) s += '-';
    s += "0123456789ABCDEF"[m[i] >> 4];
    s += "0123456789ABCDEF"[m[i] & 15];
  }
}

template <typename T>
void append_tunnels(std::string& s, const T& from) {
  for (int i = 0; i < from.tunnels; i++) {
    if (i) s += ',';
    s += tunnel_name(from.tunnel[i]);
  }
}

}  // namespace

Engine::Engine(const Options& o)
    : options_(o), flows_(o.key), defrag_(o.key, o.ip_overlap), streams_(*this, o.tcp_overlap) {}

void Engine::stamp(EventRow& r, uint64_t packet, int64_t time) const {
  int64_t s = whole_seconds(time);
  r.packet = static_cast<double>(packet);
  r.seconds = static_cast<double>(s);
  r.nanos = static_cast<uint32_t>(time - s * 1000000000);
  r.clock = static_cast<double>(clock_) / 1e9;
}

void Engine::locate(EventRow& r, const uint8_t* p, uint32_t len, bool in_window) {
  r.length = len;
  r.arena = in_window ? 0 : 1;
  r.offset = in_window ? static_cast<uint32_t>(p - window_) : b_->copy(p, len);
}

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
  for (auto [slot, serial] : dirty_)
    if (Flow* f = flows_.by_slot(slot); f && f->serial == serial) streams_.keep(*f);
  dirty_.clear();
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

void Engine::frame(const Packet& p, const IndexRow& row, uint64_t packet) {
  loose(p.oddities, packet, row.time);
  EventRow& r = b_->row(Event::frame, kNoFlow);
  stamp(r, packet, row.time);
  locate(r, p.payload, p.payload_cap, !p.reassembled);
  r.extra = row.interface;
  std::string s;
  if (p.has_mac) mac_text(s, p.mac_source);
  s += '\t';
  if (p.has_mac) mac_text(s, p.mac_destination);
  s += '\t';
  if (p.vlans > 0) s += std::to_string(p.vlan[0]);
  s += '\t';
  if (p.vlans > 1) s += std::to_string(p.vlan[1]);
  s += '\t';
  append_tunnels(s, p);
  b_->put_text(r, s);
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
  if (t.kind == Kind::tcp && t.whole) f.tcp = new Tcp;
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
      Flow* oldest = nullptr;
      for (int l = 0; l < FlowTable::kLists; l++) {
        Flow* o = flows_.oldest(l);
        if (o && (!oldest || o->last_clock < oldest->last_clock)) oldest = o;
      }
      close(oldest, EndReason::timeout);
    }
    f = flows_.create(key, flows_.hash(key));
    begin(*f, p, t, forward, packet, time, clock);
  }
  int side = forward == f->side0_forward ? 0 : 1;
  if (t.kind == Kind::tcp && t.whole && !f->tcp) f->tcp = new Tcp;
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
  if (!f.opened) open(f);
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

std::string Engine::describe(const Flow& f) const {
  std::string s;
  s.reserve(200);
  const Address &source = f.address(0), &destination = f.address(1);
  s += address_text(source);
  s += '\t';
  s += address_text(destination);
  s += '\t';
  if (f.fragment && !f.ports) {
  } else if (f.kind == Kind::icmp || f.kind == Kind::icmp6) {
    s += community_id_icmp(source, destination, f.key.protocol, f.icmp_type, f.icmp_code);
  } else {
    s += community_id(source, destination, f.key.protocol, f.port(0), f.port(1), f.ports);
  }
  for (int i = 0; i < 2; i++) {
    s += '\t';
    static const uint8_t zero[6] = {0};
    if (f.has_mac && memcmp(f.mac[i], zero, 6) != 0) mac_text(s, f.mac[i]);
  }
  for (int i = 0; i < 2; i++) {
    s += '\t';
    if (f.vlans > i) s += std::to_string(f.vlan[i]);
  }
  s += '\t';
  append_tunnels(s, f);
  s += '\t';
  // What flow.id is made of besides the capture's id (SEMANTICS 25): the key and the number of the first packet.
  uint8_t in[sizeof(FlowKey) + 8], out[32];
  memcpy(in, &f.key, sizeof f.key);
  put_be64(in + sizeof f.key, f.first_packet);
  sha256(in, sizeof in, out);
  for (int i = 0; i < 16; i++) {
    s += "0123456789abcdef"[out[i] >> 4];
    s += "0123456789abcdef"[out[i] & 15];
  }
  return s;
}

void Engine::open(Flow& f) {
  f.opened = true;
  EventRow& r = b_->row(Event::open, f.slot);
  stamp(r, f.first_packet, f.first_time);
  r.offset = static_cast<uint32_t>(f.port(0)) << 16 | f.port(1);
  r.length = f.serial;
  r.side = f.key.protocol | static_cast<uint32_t>(f.version) << 8 | static_cast<uint32_t>(f.ports) << 16 |
           static_cast<uint32_t>(f.tcp && (f.tcp->syn_seen || f.tcp->synack_seen)) << 17;
  r.extra = f.interface;
  b_->put_text(r, describe(f));
}

void Engine::data(Flow& f, int side, const uint8_t* p, uint32_t len, bool in_window, uint64_t packet, int64_t time) {
  uint64_t stream = f.tcp->half[side].stream;
  if (f.stopped[side] || stream + len < f.skip_to[side]) return;  // the packet that completes a skip is told, empty or not
  if (!f.opened) open(f);
  if (stream < f.skip_to[side]) {
    auto skip = static_cast<uint32_t>(f.skip_to[side] - stream);
    p += skip, len -= skip, stream += skip;
  }
  EventRow& r = b_->row(Event::data, f.slot);
  stamp(r, packet, time);
  r.side = static_cast<uint32_t>(side);
  r.stream = static_cast<double>(stream);
  locate(r, p, len, in_window);
}

void Engine::gap(Flow& f, int side, uint64_t len, uint64_t packet, int64_t time) {
  if (f.stopped[side]) return;
  if (!f.opened) open(f);
  EventRow& r = b_->row(Event::gap, f.slot);
  stamp(r, packet, time);
  r.side = static_cast<uint32_t>(side);
  r.stream = static_cast<double>(f.tcp->half[side].stream);
  r.length = static_cast<uint32_t>(len);
}

void Engine::side_end(Flow& f, int side, uint64_t packet, int64_t time) {
  if (f.stopped[side] || !f.opened) return;
  EventRow& r = b_->row(Event::side_end, f.slot);
  stamp(r, packet, time);
  r.side = static_cast<uint32_t>(side);
  r.stream = static_cast<double>(f.tcp->half[side].stream);
}

void Engine::suppress(uint32_t slot, uint32_t serial, int side, bool stop, uint64_t upto) {
  Flow* f = flows_.by_slot(slot);
  if (!f || f->serial != serial) return;
  if (stop) f->stopped[side & 1] = true;
  else f->skip_to[side & 1] = std::max(f->skip_to[side & 1], upto);
}

void Engine::note_row(uint32_t flow, const Note& n) {
  EventRow& r = b_->row(Event::note, flow);
  stamp(r, n.packet, n.time);
  r.extra = static_cast<uint32_t>(n.name);
  r.stream = static_cast<double>(n.count);
  r.offset = n.offset;
  r.length = n.needed;
  r.side = n.had;
}

void Engine::close(Flow* f, EndReason reason) {
  streams_.finish(*f);
  if (f->tcp && f->tcp->reset) reason = EndReason::rst;
  else if (f->tcp && f->tcp->fins_first) reason = EndReason::fin;
  for (const Note& n : f->notes) note_row(f->slot, n);
  tell(Event::close, *f, reason);
  flows_.remove(f);
}

// How an open flow stands: soon after its start, at fixed intervals from then, and when both sides ended; at its own packets (SEMANTICS 3).
void Engine::interim(Flow& f, uint64_t clock) {
  EndReason reason = EndReason::none;
  if (f.tcp && f.tcp->reset) reason = EndReason::rst;
  else if (f.tcp && f.tcp->fins_first) reason = EndReason::fin;
  bool ended = reason != EndReason::none && !f.end_told;
  if (!ended && clock < f.interim_at) return;
  f.end_told |= ended;
  if (clock >= f.interim_at) f.interim_at += ((clock - f.interim_at) / options_.interim + 1) * options_.interim;
  tell(Event::interim, f, reason);
}

void Engine::tell(Event what, const Flow& flow, EndReason reason) {
  const Flow* f = &flow;
  EventRow& r = b_->row(what, f->slot);
  stamp(r, f->first_packet, f->first_time);
  r.offset = b_->closed_count;
  std::string text = f->opened ? std::string() : describe(*f);
  text += '\t';
  text.append(f->history, f->history_len);
  b_->put_text(r, text);
  double* c = b_->closed + static_cast<size_t>(b_->closed_count++) * kColumns;
  auto set = [&](Column column, auto v) { c[static_cast<uint32_t>(column)] = static_cast<double>(v); };
  auto set_time = [&](Column s, Column ns, int64_t t) {
    set(s, whole_seconds(t));
    set(ns, t - whole_seconds(t) * 1000000000);
  };
  set(Column::firstPacket, f->first_packet);
  set_time(Column::firstSeconds, Column::firstNanos, f->first_time);
  set_time(Column::startSeconds, Column::startNanos, f->start);
  set_time(Column::endSeconds, Column::endNanos, f->end);
  set(Column::durationNs, f->end - f->start);
  set(Column::endReason, static_cast<uint32_t>(reason));
  set(Column::protocol, f->key.protocol);
  set(Column::version, f->version);
  set(Column::kind, static_cast<uint32_t>(f->kind));
  set(Column::sourcePort, f->port(0));
  set(Column::destinationPort, f->port(1));
  set(Column::hasPorts, f->ports);
  set(Column::interface, f->interface);
  set(Column::icmpType, f->icmp_type);
  set(Column::icmpCode, f->icmp_code);
  set(Column::fragment, f->fragment);
  const Tcp* tcp = f->tcp;
  set(Column::rtt, tcp && tcp->ack_seen ? tcp->ack_time - tcp->syn_time : -1);
  set(Column::conflicts, tcp ? tcp->conflicts : 0);
  set(Column::synBy, tcp && (tcp->syn_seen || tcp->synack_seen) ? 1 : 0);
  set(Column::reversible, !(tcp && (tcp->syn_seen || tcp->synack_seen)));
  for (int s = 0; s < 2; s++) {
    auto at = [&](Column zero) { return static_cast<Column>(static_cast<uint32_t>(zero) + (s ? static_cast<uint32_t>(Column::packets1) - static_cast<uint32_t>(Column::packets0) : 0)); };
    const SideCount& side = f->side[s];
    set(at(Column::packets0), side.packets);
    set(at(Column::bytes0), side.bytes);
    set(at(Column::payload0), side.payload);
    set(at(Column::flags0), side.flags);
    const Half* h = tcp ? &tcp->half[s] : nullptr;
    set(at(Column::missed0), h ? h->missed : 0);
    set(at(Column::state0), tcp ? static_cast<uint32_t>(tcp->state[s]) : 0);
    set(at(Column::retransmits0), h ? h->retransmits : 0);
    set(at(Column::outOfOrder0), h ? h->out_of_order : 0);
    set(at(Column::scale0), h && h->scale != 0xff ? h->scale : -1);
    set(at(Column::mss0), h ? h->mss : 0);
    set(at(Column::stream0), h ? h->stream : 0);
  }
}

// Flows whose timeout the clock has passed leave memory. When they do is nobody's business: their end is the same at any time.
void Engine::expire(uint64_t clock, uint32_t most) {
  for (int l = 0; l < FlowTable::kLists; l++)
    while (most && b_->room()) {
      Flow* f = flows_.oldest(l);
      if (!f || clock <= f->last_clock + f->timeout()) break;
      close(f, EndReason::timeout);
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
    while (Flow* f = flows_.oldest(l)) {
      if (!b.room()) return false;
      close(f, clock > f->last_clock + f->timeout() ? EndReason::timeout : EndReason::capture_end);
    }
  if (!b.room()) return false;
  if (!loose_told_) {
    for (const Note& n : loose_) note_row(kNoFlow, n);
    loose_told_ = true;
  }
  return true;
}

}  // namespace tf
