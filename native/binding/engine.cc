// The class Engine of the addon.
#include "../engine/engine.h"

#include <memory>

#include "args.h"

namespace tf::binding {
namespace {
class EngineWrap : public Napi::ObjectWrap<EngineWrap> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Engine",
                       {InstanceMethod("push", &EngineWrap::push), InstanceMethod("finish", &EngineWrap::finish),
                        InstanceMethod("interfaces", &EngineWrap::interfaces), InstanceMethod("suppress", &EngineWrap::suppress),
                        InstanceMethod("limits", &EngineWrap::limits), InstanceMethod("save", &EngineWrap::save),
                        InstanceMethod("restore", &EngineWrap::restore)});
  }
  // new Engine(options, rows, closed, text, arena, status: Uint32Array[4])
  explicit EngineWrap(const CallbackInfo& info) : Napi::ObjectWrap<EngineWrap>(info) {
    auto o = info[0].As<Napi::Object>();
    Options options;
    options.shard = u32(o.Get("shard"));
    options.shards = std::max(1u, u32(o.Get("shards")));
    options.tcp_overlap = overlap(o, "tcpOverlap");
    options.ip_overlap = overlap(o, "ipOverlap");
    options.interim = u64(o.Get("interimNs"));
    read_key(o, options.key);
    engine_ = std::make_unique<Engine>(options);
    Bytes rows = bytes(info[1]), closed = bytes(info[2]), text = bytes(info[3]), arena = bytes(info[4]), status = bytes(info[5]);
    batch_.rows = reinterpret_cast<EventRow*>(rows.data);
    batch_.row_capacity = static_cast<uint32_t>(rows.len / sizeof(EventRow));
    batch_.closed = reinterpret_cast<double*>(closed.data);
    batch_.closed_capacity = static_cast<uint32_t>(closed.len / (8 * kColumns));
    batch_.text = reinterpret_cast<char*>(text.data);
    batch_.text_capacity = static_cast<uint32_t>(text.len);
    batch_.arena = arena.data;
    batch_.arena_capacity = static_cast<uint32_t>(arena.len);
    status_ = reinterpret_cast<uint32_t*>(status.data);
    if (!batch_.room() || status.len < 16) {
      Napi::Error::New(info.Env(), "engine: batch buffers too small").ThrowAsJavaScriptException();
      return;
    }
    for (int i = 1; i <= 5; i++) kept_[i - 1] = Napi::Persistent(info[i].As<Napi::Object>());
  }

 private:
  void told() {
    status_[0] = batch_.row_count;
    status_[1] = batch_.closed_count;
    status_[2] = batch_.text_length;
    status_[3] = batch_.arena_length;
  }
  // push(rows, from, count, firstPacket, window, base) → rows taken
  Napi::Value push(const CallbackInfo& info) {
    Bytes rows = bytes(info[0]), window = bytes(info[4]);
    uint32_t from = u32(info[1]), count = u32(info[2]);
    if ((static_cast<uint64_t>(from) + count) * sizeof(IndexRow) > rows.len) return fail(info, "engine.push: rows past their buffer");
    batch_.clear();
    uint32_t n = engine_->push(reinterpret_cast<IndexRow*>(rows.data) + from, count, u64(info[3]), window.data, u64(info[5]), window.len, batch_);
    told();
    return Napi::Number::New(info.Env(), n);
  }
  Napi::Value finish(const CallbackInfo& info) {
    batch_.clear();
    bool done = engine_->finish(u64(info[0]), batch_);
    told();
    return Napi::Boolean::New(info.Env(), done);
  }
  Napi::Value interfaces(const CallbackInfo& info) {
    Bytes b = bytes(info[0]);
    const auto* p = reinterpret_cast<const uint32_t*>(b.data);
    engine_->interfaces(std::vector<uint32_t>(p, p + b.len / 4));
    return info.Env().Undefined();
  }
  // suppress(words: Float64Array of [slot, serial, side, 0 not before `upto` | 1 no more | 2 forget the flow, upto]…, count)
  Napi::Value suppress(const CallbackInfo& info) {
    Bytes b = bytes(info[0]);
    uint32_t n = std::min<uint32_t>(u32(info[1]), static_cast<uint32_t>(b.len / 40));
    const auto* d = reinterpret_cast<const double*>(b.data);
    for (uint32_t i = 0; i < n; i++, d += 5) {
      auto slot = static_cast<uint32_t>(d[0]), serial = static_cast<uint32_t>(d[1]);
      if (d[3] == 2) {
        engine_->forget(slot, serial);
        continue;
      }
      uint64_t upto = d[4] >= 9e15 ? UINT64_MAX : static_cast<uint64_t>(d[4]);
      engine_->suppress(slot, serial, static_cast<int>(d[2]), d[3] != 0, upto);
    }
    return info.Env().Undefined();
  }
  Napi::Value limits(const CallbackInfo& info) {
    auto l = engine_->limits();
    auto o = Napi::Object::New(info.Env());
    o.Set("flows", Napi::Number::New(info.Env(), static_cast<double>(l.flows)));
    o.Set("fragments", Napi::Number::New(info.Env(), static_cast<double>(l.fragments)));
    o.Set("stream-waiting", Napi::Number::New(info.Env(), static_cast<double>(l.waiting)));
    o.Set("stream-retained", Napi::Number::New(info.Env(), static_cast<double>(l.retained)));
    return o;
  }
  // save(block => void): the state in blocks, good until the next one
  Napi::Value save(const CallbackInfo& info) {
    auto take = info[0].As<Napi::Function>();
    bool threw = false;
    Napi::ArrayBuffer room;  // one for all: a copy of each would lie about until garbage is collected
    SnapshotOut out([&](const uint8_t* p, size_t n) {
      if (threw) return;
      if (room.IsEmpty() || room.ByteLength() < n) room = Napi::ArrayBuffer::New(info.Env(), n + n / 8);
      memcpy(room.Data(), p, n);
      take.Call({Napi::Uint8Array::New(info.Env(), n, room, 0)});
      threw = info.Env().IsExceptionPending();
    });
    engine_->save(out);
    return info.Env().Undefined();
  }
  // restore(() => block | undefined) → false: not a snapshot of such an engine
  Napi::Value restore(const CallbackInfo& info) {
    auto more = info[0].As<Napi::Function>();
    SnapshotIn in([&](std::vector<uint8_t>& into) {
      Napi::Value v = more.Call(std::initializer_list<napi_value>{});
      if (info.Env().IsExceptionPending() || !v.IsTypedArray()) return false;
      Bytes b = bytes(v);
      into.insert(into.end(), b.data, b.data + b.len);
      return b.len > 0;
    });
    return Napi::Boolean::New(info.Env(), engine_->restore(in));
  }
  std::unique_ptr<Engine> engine_;
  Batch batch_;
  uint32_t* status_ = nullptr;
  Napi::ObjectReference kept_[5];
};
}  // namespace

void add_engine(Napi::Env env, Napi::Object exports) { exports.Set("Engine", EngineWrap::define(env)); }

}  // namespace tf::binding
