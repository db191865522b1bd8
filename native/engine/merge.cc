#include "merge.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tf {
namespace {
// For each run; src/sinks/merge.ts bounds how many are merged at once.
constexpr size_t kKeysAtOnce = 1024, kTextAtOnce = 96 * 1024, kOutAtOnce = 1 << 20;

// One run: its current key, and its text from the current line on.
class Cursor {
 public:
  explicit Cursor(RunReader& run) : run_(run), keys_(kKeysAtOnce), text_(kTextAtOnce) {}

  // To the next record; false at the end or on an error (`error`).
  bool advance() {
    if (++at_ < count_) return true;
    int64_t n = fill(run_.keys, reinterpret_cast<uint8_t*>(keys_.data()), keys_.size() * sizeof(PartKey));
    at_ = 0;
    count_ = n > 0 ? static_cast<size_t>(n) / sizeof(PartKey) : 0;
    return count_ > 0;
  }
  const PartKey& key() const { return keys_[at_]; }
  // The current record's line; null on an error.
  const uint8_t* line() {
    size_t length = key().length;
    if (text_end_ - text_at_ < length) {
      memmove(text_.data(), text_.data() + text_at_, text_end_ - text_at_);
      text_end_ -= text_at_;
      text_at_ = 0;
      if (text_.size() < length) text_.resize(length);
      int64_t n = fill(run_.text, text_.data() + text_end_, text_.size() - text_end_);
      if (n > 0) text_end_ += static_cast<size_t>(n);
      if (text_end_ < length) {
        if (!error) error = -EIO;
        return nullptr;
      }
    }
    const uint8_t* p = text_.data() + text_at_;
    text_at_ += length;
    return p;
  }
  bool before(const Cursor& o) const {
    const PartKey &a = key(), &b = o.key();
    if (a.seconds != b.seconds) return a.seconds < b.seconds;
    if (a.nanos != b.nanos) return a.nanos < b.nanos;
    if (a.packet != b.packet) return a.packet < b.packet;
    return memcmp(a.id, b.id, sizeof a.id) < 0;
  }
  int64_t error = 0;

 private:
  int64_t fill(Reader& read, uint8_t* into, size_t most) {
    size_t done = 0;
    while (done < most) {
      int64_t n = read(into + done, most - done);
      if (n < 0) return error = n;
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return static_cast<int64_t>(done);
  }
  RunReader& run_;
  std::vector<PartKey> keys_;
  std::vector<uint8_t> text_;
  size_t at_ = 0, count_ = 0, text_at_ = 0, text_end_ = 0;
};
}  // namespace

int64_t merge_runs(std::vector<RunReader>& runs, const std::function<bool(const uint8_t*, size_t)>& write,
                   const std::function<bool(const PartKey&)>& key) {
  std::vector<std::unique_ptr<Cursor>> all;
  std::vector<Cursor*> heap;
  for (RunReader& run : runs) {
    all.push_back(std::make_unique<Cursor>(run));
    if (all.back()->advance()) heap.push_back(all.back().get());
    else if (all.back()->error) return all.back()->error;
  }
  auto later = [](const Cursor* a, const Cursor* b) { return b->before(*a); };
  std::make_heap(heap.begin(), heap.end(), later);
  std::vector<uint8_t> out(kOutAtOnce);
  size_t used = 0;
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    Cursor& c = *heap.back();
    for (bool more = true; more;) {
      size_t length = c.key().length;
      const uint8_t* line = c.line();
      if (!line) return c.error;
      if (used + length > out.size()) {
        if (!write(out.data(), used)) return 0;
        used = 0;
        if (length > out.size()) out.resize(length);
      }
      memcpy(out.data() + used, line, length);
      used += length;
      if (key && !key(c.key())) return 0;
      more = c.advance();
      if (!more && c.error) return c.error;
      if (!more) heap.pop_back();
      else if (heap.size() > 1 && !c.before(*heap.front())) break;
    }
    if (!heap.empty()) std::push_heap(heap.begin(), heap.end(), later);
  }
  if (used) write(out.data(), used);
  return 0;
}

}  // namespace tf
