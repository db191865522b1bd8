// The module: its classes and functions, and the layouts that both sides share.
#include <pcap/pcap.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "../engine/batch.h"
#include "../engine/part.h"
#include "../wire/anomaly.h"
#include "../wire/dissect.h"
#include "args.h"

namespace tf::binding {
namespace {
// releaseMemory(): what was freed goes back to the system, where the allocator keeps it otherwise (glibc, one heap for each thread)
Napi::Value release_memory(const CallbackInfo& info) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  return info.Env().Undefined();
}

Napi::Value layout(const CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto o = Napi::Object::New(env);
  auto num = [&](const char* k, double v) { o.Set(k, Napi::Number::New(env, v)); };
  num("eventBytes", sizeof(EventRow));
  num("indexBytes", sizeof(IndexRow));
  num("partBytes", sizeof(PartRow));
  num("keyBytes", sizeof(PartKey));
  auto columns = Napi::Array::New(env, kColumns);
  static const char* const names[] = {
#define TF_NAME(name) #name,
      TF_FLOW_COLUMNS(TF_NAME)
#undef TF_NAME
  };
  for (uint32_t i = 0; i < kColumns; i++) columns.Set(i, Napi::String::New(env, names[i]));
  o.Set("columns", columns);
  auto anomalies = Napi::Array::New(env);
  for (uint32_t i = 0; i < static_cast<uint32_t>(Anomaly::count); i++) {
    const auto& t = anomaly_text(static_cast<Anomaly>(i));
    auto a = Napi::Object::New(env);
    a.Set("name", t.name);
    a.Set("layer", t.layer);
    a.Set("text", t.text);
    anomalies.Set(i, a);
  }
  o.Set("anomalies", anomalies);
  o.Set("libpcap", pcap_lib_version());
  return o;
}

Napi::Value known_linktype(const CallbackInfo& info) { return Napi::Boolean::New(info.Env(), tf::known_linktype(u32(info[0]))); }

// layers(linktype, packet, length): [kind, value, offset] of each header that dissection comes to; kinds as in wire/layers.h
Napi::Value layers(const CallbackInfo& info) {
  Bytes packet = bytes(info[1]);
  Packet out;
  std::vector<Step> steps;
  dissect(u32(info[0]), packet.data, static_cast<uint32_t>(packet.len), u32(info[2]), out, &steps);
  auto told = Napi::Uint32Array::New(info.Env(), steps.size() * 3);
  for (size_t i = 0; i < steps.size(); i++) {
    told[i * 3] = steps[i].layer.kind;
    told[i * 3 + 1] = steps[i].layer.value;
    told[i * 3 + 2] = steps[i].at;
  }
  return told;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  add_survey(env, exports);
  add_engine(env, exports);
  add_parts(env, exports);
  add_filter(env, exports);
  add_live(env, exports);
  exports.Set("releaseMemory", Napi::Function::New(env, release_memory));
  exports.Set("knownLinktype", Napi::Function::New(env, known_linktype));
  exports.Set("layers", Napi::Function::New(env, layers));
  exports.Set("layout", Napi::Function::New(env, layout));
  return exports;
}

}  // namespace

NODE_API_MODULE(threatflow, init)

}  // namespace tf::binding
