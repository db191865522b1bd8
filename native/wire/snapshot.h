// State written out and read back: fields one after the other in this machine's byte order. What it means is its owner's business, and that
// it is whole (a checksum, a version) that of the caller; reading never goes past what is there.
#pragma once
#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>
#include <vector>

namespace tf {

class SnapshotOut {
 public:
  // `flush` takes bytes whenever a block is full, and once more at `end`.
  explicit SnapshotOut(std::function<void(const uint8_t*, size_t)> flush) : flush_(std::move(flush)) {}
  template <typename T>
  void put(const T& v) {
    static_assert(std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>);
    bytes(reinterpret_cast<const uint8_t*>(&v), sizeof v);
  }
  template <typename T>
  void list(const std::vector<T>& v) {
    static_assert(std::is_trivially_copyable_v<T>);
    put<uint64_t>(v.size());
    bytes(reinterpret_cast<const uint8_t*>(v.data()), v.size() * sizeof(T));
  }
  void bytes(const uint8_t* p, size_t n) {
    if (n) block_.insert(block_.end(), p, p + n);
    if (block_.size() >= kBlock) end();
  }
  void end() {
    if (!block_.empty()) flush_(block_.data(), block_.size());
    block_.clear();
  }

 private:
  static constexpr size_t kBlock = 1 << 20;
  std::function<void(const uint8_t*, size_t)> flush_;
  std::vector<uint8_t> block_;
};

class SnapshotIn {
 public:
  // `more` appends a block to what it is given; false: there is none.
  explicit SnapshotIn(std::function<bool(std::vector<uint8_t>&)> more) : more_(std::move(more)) {}
  template <typename T>
  void get(T& v) {
    static_assert(std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>);
    bytes(reinterpret_cast<uint8_t*>(&v), sizeof v);
  }
  template <typename T>
  void list(std::vector<T>& v, size_t most) {
    uint64_t n = 0;
    get(n);
    if (n > most) ok = false;
    v.resize(ok ? n : 0);
    bytes(reinterpret_cast<uint8_t*>(v.data()), v.size() * sizeof(T));
  }
  void bytes(uint8_t* p, size_t n) {
    while (ok && block_.size() - at_ < n) {
      block_.erase(block_.begin(), block_.begin() + static_cast<std::ptrdiff_t>(at_));
      at_ = 0;
      ok = more_(block_);
    }
    if (!ok || n == 0) return;
    memcpy(p, block_.data() + at_, n);
    at_ += n;
  }
  bool ok = true;

 private:
  std::function<bool(std::vector<uint8_t>&)> more_;
  std::vector<uint8_t> block_;
  size_t at_ = 0;
};

}  // namespace tf
