// What the bindings share: reading arguments. The folder `binding` is the only one that knows Node; arguments are validated in src/, here
// they are only guarded.
#pragma once
#include <napi.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "../filter/bpf.h"
#include "../stream/policy.h"

namespace tf::binding {

using Napi::CallbackInfo;

struct Bytes {
  uint8_t* data = nullptr;
  size_t len = 0;
};
inline Bytes bytes(const Napi::Value& v) {
  if (!v.IsTypedArray()) return {};
  void* data = nullptr;  // asked for directly: the memory may be a SharedArrayBuffer's
  napi_get_typedarray_info(v.Env(), v, nullptr, nullptr, &data, nullptr, nullptr);
  return {static_cast<uint8_t*>(data), v.As<Napi::TypedArray>().ByteLength()};
}
inline uint64_t u64(const Napi::Value& v) {
  bool lossless = false;
  if (v.IsBigInt()) return v.As<Napi::BigInt>().Uint64Value(&lossless);
  double d = v.ToNumber().DoubleValue();
  return d > 0 ? static_cast<uint64_t>(d) : 0;
}
inline uint32_t u32(const Napi::Value& v) { return v.ToNumber().Uint32Value(); }
inline Napi::Value fail(const CallbackInfo& info, const std::string& what) {
  Napi::Error::New(info.Env(), what).ThrowAsJavaScriptException();
  return info.Env().Undefined();
}
inline Overlap overlap(const Napi::Object& o, const char* name) {
  return static_cast<Overlap>(std::min<uint32_t>(u32(o.Get(name)), static_cast<uint32_t>(Overlap::windows)));
}
inline void read_key(const Napi::Object& o, uint64_t key[2]) {
  Bytes k = bytes(o.Get("key"));
  if (k.len >= 16) memcpy(key, k.data, 16);
}
inline bool program_of(const Napi::Value& v, Program& out) {
  Bytes b = bytes(v);
  if (b.len % 16 || b.len / 16 > 65536) return false;
  const auto* w = reinterpret_cast<const uint32_t*>(b.data);
  for (size_t i = 0; i < b.len / 4; i += 4)
    out.push_back({static_cast<uint16_t>(w[i]), static_cast<uint8_t>(w[i + 1]), static_cast<uint8_t>(w[i + 2]), w[i + 3]});
  return true;
}

// What each file of this folder adds to the module.
void add_survey(Napi::Env env, Napi::Object exports);
void add_engine(Napi::Env env, Napi::Object exports);
void add_parts(Napi::Env env, Napi::Object exports);
void add_filter(Napi::Env env, Napi::Object exports);
void add_live(Napi::Env env, Napi::Object exports);

}  // namespace tf::binding
