#include "table.h"

#include "../wire/digest.h"

namespace tf {

FlowTable::~FlowTable() {
  for (Flow* f : slots_)
    if (f) {
      if (f->tcp)
        for (Half& h : f->tcp->half)
          for (Retained& r : h.retained)
            if (r.owned) delete[] r.at;
      delete f->tcp;
      delete f;
    }
}

uint64_t FlowTable::hash(const FlowKey& key) const { return siphash(key_, reinterpret_cast<const uint8_t*>(&key), sizeof key); }

Flow* FlowTable::find(const FlowKey& key, uint64_t hash) const {
  for (Flow* f = buckets_[hash & (buckets_.size() - 1)]; f; f = f->chain)
    if (f->hash == hash && f->key == key) return f;
  return nullptr;
}

void FlowTable::grow() {
  std::vector<Flow*> bigger(buckets_.size() * 2);
  for (Flow* f : buckets_)
    while (f) {
      Flow* next = f->chain;
      Flow*& head = bigger[f->hash & (bigger.size() - 1)];
      f->chain = head;
      head = f;
      f = next;
    }
  buckets_.swap(bigger);
}

void FlowTable::chain(Flow* f) {
  if (count_ >= buckets_.size()) grow();
  Flow*& head = buckets_[f->hash & (buckets_.size() - 1)];
  f->chain = head;
  head = f;
  count_++;
}

Flow* FlowTable::create(const FlowKey& key, uint64_t hash) {
  Flow* f = new Flow;
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
  f->list = 0xff;
  return f;
}

void FlowTable::unlink(Flow* f) {
  if (f->list == 0xff) return;
  List& l = lists_[f->list];
  (f->older ? f->older->newer : l.head) = f->newer;
  (f->newer ? f->newer->older : l.tail) = f->older;
  f->older = f->newer = nullptr;
  f->list = 0xff;
}

void FlowTable::touch(Flow* f) {
  int to = list_of(*f);
  List& l = lists_[to];
  if (f->list == to && l.tail == f) return;
  unlink(f);
  link(f, to);
}

void FlowTable::link(Flow* f, int list) {
  List& l = lists_[list];
  f->list = static_cast<uint8_t>(list);
  f->older = l.tail;
  (l.tail ? l.tail->newer : l.head) = f;
  l.tail = f;
}

void FlowTable::remove(Flow* f) {
  unlink(f);
  Flow** at = &buckets_[f->hash & (buckets_.size() - 1)];
  while (*at != f) at = &(*at)->chain;
  *at = f->chain;
  slots_[f->slot] = nullptr;
  free_.push_back(f->slot);
  delete f->tcp;
  delete f;
  count_--;
}

}  // namespace tf
