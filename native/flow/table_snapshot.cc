// The flow table, written out and read back. Slots stay what they are: the decoders' state beside it names flows by them.
#include "table.h"

namespace tf {
namespace {

// No half-stream has more than this, whatever a snapshot says.
constexpr size_t kMostBytes = 1u << 26, kMostPieces = 1u << 20;

template <typename Plain, typename T>
const Plain& plain(const T& v) {
  static_assert(std::is_trivially_copyable_v<Plain>);
  return v;
}

void save_half(const Half& h, SnapshotOut& out) {
  out.put(plain<HalfPlain>(h));
  out.put<uint64_t>(h.waiting.size());
  for (const Segment& s : h.waiting) {
    for (uint32_t v : {s.seq, s.len, s.have, s.from, s.to}) out.put(v);
    out.put(s.packet);
    out.put(s.time);
    out.list(s.bytes);
  }
  out.put<uint64_t>(h.retained.size());
  for (const Retained& r : h.retained) {
    out.put(r.seq);
    out.put(r.len);
    out.bytes(r.at, r.len);
  }
}

void restore_half(Half& h, SnapshotIn& in) {
  in.get(static_cast<HalfPlain&>(h));
  uint64_t n = 0;
  in.get(n);
  for (; in.ok && n; n--) {
    Segment s{};
    for (uint32_t* v : {&s.seq, &s.len, &s.have, &s.from, &s.to}) in.get(*v);
    in.get(s.packet);
    in.get(s.time);
    in.list(s.bytes, kMostBytes);
    if (in.ok) h.waiting.push_back(std::move(s));
  }
  n = 0;
  in.get(n);
  for (; in.ok && n; n--) {
    Retained r{0, 0, nullptr, true};
    in.get(r.seq);
    in.get(r.len);
    if (!in.ok || r.len > kMostBytes) {
      in.ok = false;
      return;
    }
    auto* copy = new uint8_t[r.len];
    in.bytes(copy, r.len);
    r.at = copy;
    h.retained.push_back(r);
  }
}

}  // namespace

void FlowTable::save(SnapshotOut& out) const {
  out.put<uint64_t>(slots_.size());
  out.put(serial_);
  out.list(free_);
  for (const List& l : lists_) {
    uint64_t n = 0;
    for (const Link* f = l.head; f; f = f->newer) n++;
    out.put(n);
    for (const Link* at = l.head; at; at = at->newer) {
      std::unique_ptr<Flow, void (*)(Flow*)> unpacked(at->packed ? unpack(static_cast<const PackedFlow&>(*at)) : nullptr, [](Flow* f) { free_flow(f); });
      const Flow* f = unpacked ? unpacked.get() : static_cast<const Flow*>(at);
      out.put(plain<LinkPlain>(*f));
      out.put(plain<FlowPlain>(*f));
      out.list(f->notes);
      out.put<uint8_t>(f->tcp != nullptr);
      if (!f->tcp) continue;
      out.put(plain<TcpPlain>(*f->tcp));
      for (const Half& h : f->tcp->half) save_half(h, out);
    }
  }
}

void FlowTable::restore(SnapshotIn& in) {
  uint64_t slots = 0;
  in.get(slots);
  in.get(serial_);
  if (!in.ok || slots > 4ULL * kMaxFlows) {
    in.ok = false;
    return;
  }
  slots_.assign(slots, nullptr);
  in.list(free_, slots);
  for (int l = 0; l < kLists && in.ok; l++) {
    uint64_t n = 0;
    in.get(n);
    for (; in.ok && n; n--) {
      auto* f = new Flow();
      in.get(static_cast<LinkPlain&>(*f));
      f->packed = false;
      in.get(static_cast<FlowPlain&>(*f));
      if (!in.ok || f->slot >= slots || slots_[f->slot]) {  // not a snapshot of a table
        delete f;
        in.ok = false;
        return;
      }
      slots_[f->slot] = f;
      f->hash = hash(f->key);  // the key of the hash is this table's own
      chain(f);
      link(f, l);
      in.list(f->notes, kMostPieces);
      uint8_t tcp = 0;
      in.get(tcp);
      if (!in.ok || !tcp) continue;
      f->tcp = new Tcp();
      in.get(static_cast<TcpPlain&>(*f->tcp));
      for (Half& h : f->tcp->half) restore_half(h, in);
    }
  }
  for (uint32_t slot : free_)
    if (slot >= slots || slots_[slot]) in.ok = false;
}

}  // namespace tf
