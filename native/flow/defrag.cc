#include "defrag.h"

#include <algorithm>

#include "../wire/bytes.h"
#include "../wire/digest.h"

namespace tf {

size_t Defrag::Hash::operator()(const Id& id) const { return siphash(key, reinterpret_cast<const uint8_t*>(&id), sizeof id); }

Defrag::Id Defrag::id_of(const Packet& p) {
  return {p.source, p.destination, p.fragment_id, p.version, p.version == 4 ? p.protocol : uint8_t{0}, 0};
}

std::unique_ptr<Datagram> Defrag::add(const Packet& p, uint64_t packet, int64_t time, uint64_t clock,
                                      const std::vector<uint64_t>* rows) {
  const Id id = id_of(p);
  auto [it, fresh] = table_.try_emplace(id);
  if (fresh) {
    it->second = std::make_unique<Datagram>();
    Datagram& d = *it->second;
    d.head = p;
    d.head.payload = d.head.network = d.head.ip_header = nullptr;
    d.protocol = p.protocol;
    d.started = clock;
    d.serial = ++serial_;
    if (order_.size() > 4 * table_.size() + 1024)  // completed datagrams leave their place in line behind
      std::erase_if(order_, [&](const auto& o) {
        auto found = table_.find(o.first);
        return found == table_.end() || found->second->serial != o.second;
      });
    order_.emplace_back(id, d.serial);
  }
  Datagram& d = *it->second;
  for (int i = 0; i < p.oddities.count; i++) d.oddities.add(p.oddities.at[i].name, p.oddities.at[i].offset, p.oddities.at[i].needed, p.oddities.at[i].had);
  if (rows) d.rows.insert(d.rows.end(), rows->begin(), rows->end());
  insert(d, p, {packet, time, clock, p.ip_bytes, p.fragment_offset, p.payload_cap, 0});
  if (!d.complete) return nullptr;
  std::unique_ptr<Datagram> done = std::move(it->second);
  bytes_ -= done->bytes.size();
  table_.erase(it);
  finish(*done);
  return done;
}

void Defrag::insert(Datagram& d, const Packet& p, Piece piece) {
  uint32_t from = p.fragment_offset, len = p.payload_cap;
  bool cut = p.payload_cap < p.payload_len;
  if (d.pieces.size() >= kMaxFragments * 2) return;
  d.pieces.push_back(piece);
  Piece& kept = d.pieces.back();
  kept.len = 0;
  if (d.discarded || d.pieces.size() > kMaxFragments) {
    if (!d.discarded) d.oddities.add(Anomaly::ip_fragment_limit, 0, static_cast<uint32_t>(d.pieces.size()), kMaxFragments);
    return;
  }
  if (from == 0) d.protocol = p.protocol;
  if (p.fragment_more && len % 8 && !cut) {
    d.oddities.add(Anomaly::ip_fragment_misaligned, 0, 8, len % 8);
    len -= len % 8;
  }
  if (from + len > 65535) {
    d.oddities.add(Anomaly::ip_fragment_past_end, 0, from + len, 65535);
    len = from < 65535 ? 65535 - from : 0;
  }
  if (!p.fragment_more && !cut) {
    if (d.total == 0) d.total = from + len;
    else if (d.total != from + len) d.oddities.add(Anomaly::ip_fragment_past_end, 0, from + len, d.total);
  }
  if (len == 0) return;
  uint32_t to = from + len;
  bool overlaps = false;
  for (auto& c : d.covered) overlaps |= c.first < to && from < c.second;
  if (overlaps) {
    for (const Piece& o : d.pieces)  // an exact copy is a duplicate, not an overlap (RFC 8200 §4.5)
      if (o.len == len && o.offset == from && memcmp(d.bytes.data() + o.at, p.payload, len) == 0) return;
    d.oddities.add(Anomaly::ip_fragment_overlap, 0, len, from);
    d.overlap = true;
    if (p.version == 6) {  // RFC 5722: the whole datagram goes
      d.discarded = true;
      return;
    }
    for (const Piece& o : d.pieces) {
      if (o.len == 0) continue;
      uint32_t a = std::max(from, o.offset), b = std::min(to, o.offset + o.len);
      if (a < b && memcmp(d.bytes.data() + o.at + (a - o.offset), p.payload + (a - from), b - a) != 0)
        d.oddities.add(Anomaly::ip_fragment_conflict, a, len, o.len);
    }
  }
  kept.at = static_cast<uint32_t>(d.bytes.size());
  kept.len = len;
  d.bytes.insert(d.bytes.end(), p.payload, p.payload + len);
  bytes_ += len;
  auto pos = std::lower_bound(d.covered.begin(), d.covered.end(), Datagram::Range{from, 0});
  pos = d.covered.insert(pos, {from, to});
  if (pos != d.covered.begin() && std::prev(pos)->second >= pos->first) --pos;
  while (std::next(pos) != d.covered.end() && std::next(pos)->first <= pos->second) {
    pos->second = std::max(pos->second, std::next(pos)->second);
    d.covered.erase(std::next(pos));
  }
  d.complete = d.total && d.covered.size() == 1 && d.covered.front().first == 0 && d.covered.front().second >= d.total;
}

void Defrag::finish(Datagram& d) {
  d.whole.resize(d.total);
  std::vector<uint16_t> owner;  // piece that owns each byte, where pieces overlap
  if (d.overlap) owner.assign(d.total, 0xffff);
  for (size_t n = 0; n < d.pieces.size(); n++) {
    const Piece& p = d.pieces[n];
    uint32_t to = std::min(p.offset + p.len, d.total);
    if (p.offset >= to) continue;
    const uint8_t* from = d.bytes.data() + p.at;
    if (!d.overlap) {
      memcpy(d.whole.data() + p.offset, from, to - p.offset);
      continue;
    }
    for (uint32_t i = p.offset; i < to; i++) {
      if (owner[i] != 0xffff) {
        const Piece& o = d.pieces[owner[i]];
        if (!newer_fragment_wins(policy_, o.offset, o.offset + o.len, p.offset, p.offset + p.len)) continue;
      }
      owner[i] = static_cast<uint16_t>(n);
      d.whole[i] = from[i - p.offset];
    }
  }
}

// Out of the table, incomplete.
std::unique_ptr<Datagram> Defrag::leave(std::unordered_map<Id, std::unique_ptr<Datagram>, Hash>::iterator it) {
  std::unique_ptr<Datagram> d = std::move(it->second);
  bytes_ -= d->bytes.size();
  table_.erase(it);
  d->oddities.add(Anomaly::ip_fragment_incomplete, 0, d->total, d->covered.empty() ? 0 : d->covered.back().second);
  return d;
}

std::unique_ptr<Datagram> Defrag::too_old(const Packet& p, uint64_t clock) {
  auto it = table_.find(id_of(p));
  return it != table_.end() && clock > it->second->started + kFragmentTimeout ? leave(it) : nullptr;
}

std::unique_ptr<Datagram> Defrag::give_up(uint64_t clock, bool all) {
  const bool limit = table_.size() > kMaxDatagrams || bytes_ > kMaxFragmentBytes;
  if (!all && !limit && clock <= quiet_until_) return nullptr;
  while (!order_.empty()) {
    auto it = table_.find(order_.front().first);
    if (it == table_.end() || it->second->serial != order_.front().second) {
      order_.pop_front();
      continue;
    }
    if (!all && !limit && clock <= it->second->started + kFragmentTimeout) {
      quiet_until_ = it->second->started + kFragmentTimeout;
      return nullptr;
    }
    if (limit && !all) limit_hits++;
    order_.pop_front();
    return leave(it);
  }
  return nullptr;
}

void Defrag::save(SnapshotOut& out) const {
  static_assert(std::is_trivially_copyable_v<DatagramPlain>);
  out.put(serial_);
  out.put(bytes_);
  out.put(limit_hits);
  out.put<uint64_t>(table_.size());
  for (const auto& [id, serial] : order_) {
    auto it = table_.find(id);
    if (it == table_.end() || it->second->serial != serial) continue;
    const Datagram& d = *it->second;
    out.put(id);
    out.put(static_cast<const DatagramPlain&>(d));
    out.list(d.pieces);
    out.list(d.bytes);
    out.list(d.covered);
    out.list(d.rows);
  }
}

void Defrag::restore(SnapshotIn& in) {
  in.get(serial_);
  in.get(bytes_);
  in.get(limit_hits);
  uint64_t n = 0;
  in.get(n);
  for (; in.ok && n; n--) {
    Id id;
    auto d = std::make_unique<Datagram>();
    in.get(id);
    in.get(static_cast<DatagramPlain&>(*d));
    in.list(d->pieces, 2 * kMaxFragments);
    in.list(d->bytes, kMaxFragmentBytes);
    in.list(d->covered, 2 * kMaxFragments);
    in.list(d->rows, 2 * kMaxFragments);
    for (const Piece& p : d->pieces) in.ok = in.ok && static_cast<uint64_t>(p.at) + p.len <= d->bytes.size();
    in.ok = in.ok && !d->pieces.empty();
    d->head.payload = d->head.network = d->head.ip_header = nullptr;
    if (!in.ok) return;
    order_.emplace_back(id, d->serial);
    table_[id] = std::move(d);
  }
}

}  // namespace tf
