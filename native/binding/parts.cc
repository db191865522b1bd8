// Records on their way out: ids and order of a part, and the merge of sorted runs (in a thread of its own).
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "../engine/merge.h"
#include "../engine/part.h"
#include "args.h"

namespace tf::binding {
namespace {
// sealBound(rows, count, textLength) → bytes that the lines of these rows take at most
Napi::Value seal_bound(const CallbackInfo& info) {
  Bytes rows = bytes(info[0]);
  uint32_t count = u32(info[1]);
  auto* r = reinterpret_cast<PartRow*>(rows.data);
  if (static_cast<uint64_t>(count) * sizeof(PartRow) > rows.len || !part_fits(r, count, u64(info[2]))) return fail(info, "sealBound: past its buffer");
  return Napi::Number::New(info.Env(), static_cast<double>(part_bound(r, count)));
}

// sealPart(rows, count, text, captureId, dataset, out, keys) → [bytes of all lines, of the longest one]
Napi::Value seal(const CallbackInfo& info) {
  Bytes rows = bytes(info[0]), text = bytes(info[2]), out = bytes(info[5]), keys = bytes(info[6]);
  uint32_t count = u32(info[1]);
  auto* r = reinterpret_cast<PartRow*>(rows.data);
  if (static_cast<uint64_t>(count) * sizeof(PartRow) > rows.len || static_cast<uint64_t>(count) * sizeof(PartKey) > keys.len ||
      !part_fits(r, count, text.len))
    return fail(info, "sealPart: past its buffer");
  if (part_bound(r, count) > out.len) return fail(info, "sealPart: output too small");
  const std::string capture = info[3].ToString(), dataset = info[4].ToString();
  const auto* from = reinterpret_cast<const char*>(text.data);
  stamp_part(r, count, from, capture, dataset);
  Sealed s = seal_part(r, count, from, capture, dataset, reinterpret_cast<char*>(out.data), reinterpret_cast<PartKey*>(keys.data));
  Napi::Array told = Napi::Array::New(info.Env(), 2);
  told.Set(0u, static_cast<double>(s.bytes));
  told.Set(1u, s.longest);
  return told;
}

// A run given as two buffers (kept alive by `kept`) or as two paths.
class Input {
 public:
  Input() = default;
  Input(const Input&) = delete;
  ~Input() {
    if (fd_ >= 0) close(fd_);
  }
  void set(const Napi::Value& v, std::vector<Napi::ObjectReference>& kept) {
    if (v.IsString()) {
      path_ = v.ToString();
      return;
    }
    Bytes b = bytes(v);
    data_ = b.data, len_ = b.len;
    kept.push_back(Napi::Persistent(v.As<Napi::Object>()));
  }
  int64_t read(uint8_t* into, size_t most) {
    if (path_.empty()) {
      size_t n = std::min(most, len_ - at_);
      if (n) memcpy(into, data_ + at_, n);
      at_ += n;
      return static_cast<int64_t>(n);
    }
    if (fd_ < 0 && (fd_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC)) < 0) return -errno;
    ssize_t n = ::read(fd_, into, most);
    return n < 0 ? -errno : n;
  }

 private:
  std::string path_;
  const uint8_t* data_ = nullptr;
  size_t len_ = 0, at_ = 0;
  int fd_ = -1;
};

class MergeWork : public Napi::AsyncWorker {
 public:
  MergeWork(Napi::Env env, const Napi::Array& texts, const Napi::Array& keys, int fd, int keys_fd)
      : Napi::AsyncWorker(env), promise_(Napi::Promise::Deferred::New(env)), inputs_(2 * texts.Length()), fd_(fd), keys_fd_(keys_fd) {
    for (uint32_t i = 0; i < texts.Length(); i++) {
      inputs_[2 * i].set(texts.Get(i), kept_);
      inputs_[2 * i + 1].set(keys.Get(i), kept_);
    }
  }
  Napi::Promise promise() const { return promise_.Promise(); }

  void Execute() override {
    std::vector<RunReader> runs;
    auto reader = [](Input& in) { return [&in](uint8_t* into, size_t most) { return in.read(into, most); }; };
    for (size_t i = 0; i + 1 < inputs_.size(); i += 2) runs.push_back({reader(inputs_[i]), reader(inputs_[i + 1])});
    int64_t written = 0;
    auto put = [&](int fd, const uint8_t* p, size_t n) {
      while (n) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR) continue;
        if (w < 0) {
          written = -errno;
          return false;
        }
        p += w;
        n -= static_cast<size_t>(w);
      }
      return true;
    };
    std::vector<PartKey> keys;
    auto flush = [&] {
      bool well = put(keys_fd_, reinterpret_cast<const uint8_t*>(keys.data()), keys.size() * sizeof(PartKey));
      keys.clear();
      return well;
    };
    std::function<bool(const PartKey&)> key;
    if (keys_fd_ >= 0)
      key = [&](const PartKey& k) {
        keys.push_back(k);
        return keys.size() < kKeysAtOnce || flush();
      };
    int64_t result = merge_runs(runs, [&](const uint8_t* p, size_t n) { return put(fd_, p, n); }, key);
    if (!written && !result && !keys.empty()) flush();
    error_ = written ? written : result;
  }
  void OnOK() override { promise_.Resolve(Napi::Number::New(Env(), static_cast<double>(error_))); }
  void OnError(const Napi::Error& e) override { promise_.Reject(e.Value()); }

 private:
  Napi::Promise::Deferred promise_;
  std::vector<Input> inputs_;
  std::vector<Napi::ObjectReference> kept_;
  static constexpr size_t kKeysAtOnce = 4096;
  int fd_, keys_fd_;
  int64_t error_ = 0;
};

// mergeRuns(texts, keys, fd, keysFd) → promise of 0 or -errno; the lines go to `fd`, their keys to `keysFd` (-1: nowhere). Runs are buffers or
// paths.
Napi::Value merge(const CallbackInfo& info) {
  Napi::Array texts = info[0].As<Napi::Array>(), keys = info[1].As<Napi::Array>();
  if (texts.Length() != keys.Length()) return fail(info, "mergeRuns: texts and keys differ in number");
  auto* work = new MergeWork(info.Env(), texts, keys, info[2].ToNumber().Int32Value(), info[3].ToNumber().Int32Value());
  work->Queue();
  return work->promise();
}

}  // namespace

void add_parts(Napi::Env env, Napi::Object exports) {
  exports.Set("sealBound", Napi::Function::New(env, seal_bound));
  exports.Set("sealPart", Napi::Function::New(env, seal));
  exports.Set("mergeRuns", Napi::Function::New(env, merge));
}

}  // namespace tf::binding
