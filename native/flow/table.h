// The flow table: a keyed hash over the flow key, and lists in order of last packet, one for each timeout.
#pragma once
#include <memory>
#include <vector>

#include "flow.h"

namespace tf {

constexpr uint32_t kMaxFlows = 400000;  // open at a time in one process

class FlowTable {
 public:
  explicit FlowTable(const uint64_t key[2]) : key_{key[0], key[1]}, buckets_(1024) {}
  FlowTable(const FlowTable&) = delete;
  FlowTable& operator=(const FlowTable&) = delete;
  ~FlowTable();
  Flow* find(const FlowKey& key, uint64_t hash) const;
  uint64_t hash(const FlowKey& key) const;
  Flow* create(const FlowKey& key, uint64_t hash);
  void touch(Flow* f);    // moves to the end of the list of its timeout
  void remove(Flow* f);   // out of table and lists; the slot is free for another
  Flow* oldest(int list) const { return lists_[list].head; }
  Flow* by_slot(uint32_t slot) const { return slot < slots_.size() ? slots_[slot] : nullptr; }
  uint32_t size() const { return count_; }
  // Between pushes: no flow holds bytes of a window. `restore` wants an empty table.
  void save(SnapshotOut& out) const;
  void restore(SnapshotIn& in);
  static constexpr int kLists = 3;  // TCP open, TCP closed, others
  static int list_of(const Flow& f) { return f.kind != Kind::tcp ? 2 : f.timeout() == kTcpTimeout ? 0 : 1; }

 private:
  struct List {
    Flow *head = nullptr, *tail = nullptr;
  };
  void unlink(Flow* f);
  void link(Flow* f, int list);
  void chain(Flow* f);
  void grow();
  uint64_t key_[2];
  std::vector<Flow*> buckets_;
  std::vector<Flow*> slots_;
  std::vector<uint32_t> free_;
  List lists_[kLists];
  uint32_t count_ = 0, serial_ = 0;
};

}  // namespace tf
