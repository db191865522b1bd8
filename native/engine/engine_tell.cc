// What the engine tells TypeScript: rows of events, and the table of flows.
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
  f.forgotten = false;
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
  if (!f.opened || f.forgotten) open(f);
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
  if (!f.opened || f.forgotten) open(f);
  EventRow& r = b_->row(Event::gap, f.slot);
  stamp(r, packet, time);
  r.side = static_cast<uint32_t>(side);
  r.stream = static_cast<double>(f.tcp->half[side].stream);
  r.length = static_cast<uint32_t>(len);
}

void Engine::side_end(Flow& f, int side, uint64_t packet, int64_t time) {
  if (f.stopped[side] || !f.opened || f.forgotten) return;
  EventRow& r = b_->row(Event::side_end, f.slot);
  stamp(r, packet, time);
  r.side = static_cast<uint32_t>(side);
  r.stream = static_cast<double>(f.tcp->half[side].stream);
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
  std::string text = f->opened && !f->forgotten ? std::string() : describe(*f);
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

}  // namespace tf
