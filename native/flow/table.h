// The flow table: a keyed hash over the flow key, and lists in order of last packet, one for each timeout. What comes out of it as a Flow is
// unpacked before; flows that have been quiet for a while are packed between pushes.
#pragma once
#include <memory>
#include <vector>

#include "packed.h"

namespace tf {

constexpr uint32_t kMaxFlows = 400000;  // open at a time in one process
constexpr uint64_t kQuiet = 2 * kSecond;  // of the clock without a packet
constexpr uint32_t kMostAwake = 32768;    // where more are not quiet, the oldest are packed too

class FlowTable {
 public:
  FlowTable(const uint64_t key[2], uint64_t quiet) : key_{key[0], key[1]}, quiet_(quiet), buckets_(1024) {}
  FlowTable(const FlowTable&) = delete;
  FlowTable& operator=(const FlowTable&) = delete;
  ~FlowTable();
  Flow* find(const FlowKey& key, uint64_t hash);
  uint64_t hash(const FlowKey& key) const;
  Flow* create(const FlowKey& key, uint64_t hash);
  void touch(Flow* f);    // moves to the end of the list of its timeout
  void remove(Flow* f);   // out of table and lists; the slot is free for another
  const Link* oldest(int list) const { return lists_[list].head; }
  Flow* awake(const Link* l);  // what `l` points to may be gone then
  // The flow that has this slot still, changed in its place.
  template <typename F>
  void change(uint32_t slot, uint32_t serial, F&& with) {
    Link* l = slot < slots_.size() ? slots_[slot] : nullptr;
    if (!l || l->serial != serial) return;
    bool packed = l->packed;
    Flow* f = awake(l);
    with(*f);
    if (packed) rest(f);
  }
  void rest(uint64_t clock);  // packs what has been quiet; nothing holds a Flow then
  uint32_t size() const { return count_; }
  // Between pushes: no flow holds bytes of a window. `restore` wants an empty table.
  void save(SnapshotOut& out) const;
  void restore(SnapshotIn& in);
  static constexpr int kLists = 3;  // TCP open, TCP closed, others
  static int list_of(const Flow& f) { return f.kind != Kind::tcp ? 2 : f.timeout() == kTcpTimeout ? 0 : 1; }
  static constexpr uint64_t timeout_of(int list) { return list == 0 ? kTcpTimeout : list == 1 ? kClosedTimeout : kOtherTimeout; }

 private:
  struct List {
    Link *head = nullptr, *tail = nullptr;
    Link* lively = nullptr;  // what is older was looked at, and packed where it could be
  };
  void unlink(Link* f);
  void link(Link* f, int list);
  void chain(Link* f);
  void grow();
  void rest(Flow* f);
  void replace(Link* from, Link* to);
  uint64_t key_[2];
  uint64_t quiet_;
  std::vector<Link*> buckets_;
  std::vector<Link*> slots_;
  std::vector<uint32_t> free_;
  List lists_[kLists];
  uint32_t count_ = 0, packed_ = 0, serial_ = 0;
};

}  // namespace tf
