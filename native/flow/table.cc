#include "table.h"

#include "../wire/digest.h"

namespace tf {

FlowTable::~FlowTable() {
  for (Link* l : slots_)
    if (l) free_flow(l);
}

uint64_t FlowTable::hash(const FlowKey& key) const { return siphash(key_, reinterpret_cast<const uint8_t*>(&key), sizeof key); }

Flow* FlowTable::find(const FlowKey& key, uint64_t hash) {
  for (Link* l = buckets_[hash & (buckets_.size() - 1)]; l; l = l->chain) {
    if (l->hash != hash) continue;
    Flow* f = awake(l);
    if (f->key == key) return f;
    l = f;
  }
  return nullptr;
}

void FlowTable::grow() {
  std::vector<Link*> bigger(buckets_.size() * 2);
  for (Link* f : buckets_)
    while (f) {
      Link* next = f->chain;
      Link*& head = bigger[f->hash & (bigger.size() - 1)];
      f->chain = head;
      head = f;
      f = next;
    }
  buckets_.swap(bigger);
}

void FlowTable::chain(Link* f) {
  if (count_ >= buckets_.size()) grow();
  Link*& head = buckets_[f->hash & (buckets_.size() - 1)];
  f->chain = head;
  head = f;
  count_++;
}

Flow* FlowTable::create(const FlowKey& key, uint64_t hash) {
  auto* f = new Flow();
  f->key = key;
  f->hash = hash;
  f->serial = ++serial_;
  if (free_.empty()) {
    f->slot = static_cast<uint32_t>(slots_.size());
    slots_.push_back(f);
  } else {
    f->slot = free_.back();
    free_.pop_back();
    slots_[f->slot] = f;
  }
  chain(f);
  return f;
}

void FlowTable::unlink(Link* f) {
  if (f->list == 0xff) return;
  List& l = lists_[f->list];
  if (l.lively == f) l.lively = f->newer;
  (f->older ? f->older->newer : l.head) = f->newer;
  (f->newer ? f->newer->older : l.tail) = f->older;
  f->older = f->newer = nullptr;
  f->list = 0xff;
}

void FlowTable::touch(Flow* f) {
  int to = list_of(*f);
  List& l = lists_[to];
  if (f->list == to && l.tail == f) {
    if (!l.lively) l.lively = f;
    return;
  }
  unlink(f);
  link(f, to);
}

void FlowTable::link(Link* f, int list) {
  List& l = lists_[list];
  f->list = static_cast<uint8_t>(list);
  f->older = l.tail;
  (l.tail ? l.tail->newer : l.head) = f;
  l.tail = f;
  if (!l.lively) l.lively = f;
}

void FlowTable::remove(Flow* f) {
  unlink(f);
  Link** at = &buckets_[f->hash & (buckets_.size() - 1)];
  while (*at != f) at = &(*at)->chain;
  *at = f->chain;
  slots_[f->slot] = nullptr;
  free_.push_back(f->slot);
  free_flow(f);
  count_--;
}

// The same flow in another shape.
void FlowTable::replace(Link* from, Link* to) {
  Link** at = &buckets_[from->hash & (buckets_.size() - 1)];
  while (*at != from) at = &(*at)->chain;
  *at = to;
  slots_[from->slot] = to;
  List& l = lists_[from->list];
  (from->older ? from->older->newer : l.head) = to;
  (from->newer ? from->newer->older : l.tail) = to;
  if (l.lively == from) l.lively = to;
  free_flow(from);
}

Flow* FlowTable::awake(const Link* link) {
  Link* l = slots_[link->slot];
  if (!l->packed) return static_cast<Flow*>(l);
  Flow* f = unpack(static_cast<const PackedFlow&>(*l));
  replace(l, f);
  packed_--;
  return f;
}

void FlowTable::rest(Flow* f) {
  PackedFlow* p = pack(*f);
  if (!p) return;
  replace(f, p);
  packed_++;
}

void FlowTable::rest(uint64_t clock) {
  for (List& l : lists_)
    while (l.lively && (clock >= l.lively->last_clock + quiet_ || count_ - packed_ > kMostAwake)) {
      Link* f = l.lively;
      l.lively = f->newer;
      if (!f->packed) rest(static_cast<Flow*>(f));
    }
}

}  // namespace tf
