// The only file that knows Node. Arguments are validated in src/engine; here they are only guarded.
#include <napi.h>
#include <pcap/pcap.h>

#include <cstring>
#include <memory>

#include "../engine/engine.h"
#include "../engine/part.h"
#include "../engine/survey.h"
#include "../wire/dissect.h"

namespace {

using Napi::CallbackInfo;


struct Bytes {
  uint8_t* data = nullptr;
  size_t len = 0;
};
Bytes bytes(const Napi::Value& v) {
  if (!v.IsTypedArray()) return {};
  void* data = nullptr;  // asked for directly: the memory may be a SharedArrayBuffer's
  napi_get_typedarray_info(v.Env(), v, nullptr, nullptr, &data, nullptr, nullptr);
  return {static_cast<uint8_t*>(data), v.As<Napi::TypedArray>().ByteLength()};
}
uint64_t u64(const Napi::Value& v) {
  bool lossless = false;
  if (v.IsBigInt()) return v.As<Napi::BigInt>().Uint64Value(&lossless);
  double d = v.ToNumber().DoubleValue();
  return d > 0 ? static_cast<uint64_t>(d) : 0;
}
uint32_t u32(const Napi::Value& v) { return v.ToNumber().Uint32Value(); }
Napi::Value fail(const CallbackInfo& info, const std::string& what) {
  Napi::Error::New(info.Env(), what).ThrowAsJavaScriptException();
  return info.Env().Undefined();
}
tf::Overlap overlap(const Napi::Object& o, const char* name) {
  return static_cast<tf::Overlap>(std::min<uint32_t>(u32(o.Get(name)), static_cast<uint32_t>(tf::Overlap::windows)));
}
void read_key(const Napi::Object& o, uint64_t key[2]) {
  Bytes k = bytes(o.Get("key"));
  if (k.len >= 16) memcpy(key, k.data, 16);
}
bool program_of(const Napi::Value& v, tf::Program& out) {
  Bytes b = bytes(v);
  if (b.len % 16 || b.len / 16 > 65536) return false;
  const auto* w = reinterpret_cast<const uint32_t*>(b.data);
  for (size_t i = 0; i < b.len / 4; i += 4)
    out.push_back({static_cast<uint16_t>(w[i]), static_cast<uint8_t>(w[i + 1]), static_cast<uint8_t>(w[i + 2]), w[i + 3]});
  return true;
}

class SurveyWrap : public Napi::ObjectWrap<SurveyWrap> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Survey",
                       {InstanceMethod("push", &SurveyWrap::push), InstanceMethod("filter", &SurveyWrap::filter),
                        InstanceMethod("filtering", &SurveyWrap::filtering), InstanceMethod("patches", &SurveyWrap::patches),
                        InstanceMethod("finish", &SurveyWrap::finish), InstanceMethod("summary", &SurveyWrap::summary),
                        InstanceMethod("linktypes", &SurveyWrap::linktypes)});
  }
  explicit SurveyWrap(const CallbackInfo& info) : Napi::ObjectWrap<SurveyWrap>(info) {
    auto o = info[0].As<Napi::Object>();
    uint64_t key[2] = {1, 2};
    read_key(o, key);
    survey_ = std::make_unique<tf::Survey>(key, overlap(o, "ipOverlap"), u64(o.Get("dedupNs")));
  }

 private:
  // push(window, last, rows, status: Float64Array) → need; status = [count, needed, consumed, linktype]
  Napi::Value push(const CallbackInfo& info) {
    Bytes w = bytes(info[0]), rows = bytes(info[2]), status = bytes(info[3]);
    if (status.len < 32 || rows.len < sizeof(tf::IndexRow)) return fail(info, "survey.push: buffers too small");
    uint32_t count = 0;
    auto need = survey_->push(w.data, w.len, info[1].ToBoolean(), reinterpret_cast<tf::IndexRow*>(rows.data),
                              static_cast<uint32_t>(rows.len / sizeof(tf::IndexRow)), &count);
    auto* s = reinterpret_cast<double*>(status.data);
    s[0] = count;
    s[1] = static_cast<double>(survey_->walker.needed());
    s[2] = static_cast<double>(survey_->walker.consumed());
    s[3] = survey_->wanted_linktype;
    return Napi::Number::New(info.Env(), static_cast<double>(need));
  }
  Napi::Value filter(const CallbackInfo& info) {
    tf::Program p;
    if (!program_of(info[1], p)) return fail(info, "survey.filter: not a program");
    if (!tf::verify(p).empty()) return fail(info, "survey.filter: the program was not verified");
    survey_->filter(u32(info[0]), std::move(p));
    return info.Env().Undefined();
  }
  Napi::Value filtering(const CallbackInfo& info) {
    survey_->filtering(info[0].ToBoolean());
    return info.Env().Undefined();
  }
  Napi::Value patches(const CallbackInfo& info) {
    auto& p = survey_->patches();
    auto out = Napi::Float64Array::New(info.Env(), p.size() * 3);
    for (size_t i = 0; i < p.size(); i++) {
      out[i * 3] = static_cast<double>(p[i].row);
      out[i * 3 + 1] = p[i].hash;
      out[i * 3 + 2] = p[i].flags;
    }
    p.clear();
    return out;
  }
  Napi::Value finish(const CallbackInfo& info) {
    survey_->finish();
    return info.Env().Undefined();
  }
  Napi::Value linktypes(const CallbackInfo& info) {
    const auto& all = survey_->walker.interfaces;
    auto out = Napi::Uint32Array::New(info.Env(), all.size());
    for (size_t i = 0; i < all.size(); i++) out[i] = all[i].linktype;
    return out;
  }
  Napi::Value summary(const CallbackInfo& info) {
    Napi::Env env = info.Env();
    const tf::Survey& s = *survey_;
    const tf::Walker& w = s.walker;
    auto out = Napi::Object::New(env);
    auto num = [&](Napi::Object& o, const char* k, double v) { o.Set(k, Napi::Number::New(env, v)); };
    auto big = [&](Napi::Object& o, const char* k, int64_t v) { o.Set(k, Napi::BigInt::New(env, v)); };
    auto bigu = [&](Napi::Object& o, const char* k, uint64_t v) { o.Set(k, Napi::BigInt::New(env, v)); };
    const char* format = w.format == tf::Walker::Format::pcapng ? "pcapng" : w.format == tf::Walker::Format::pcap ? "pcap" : "unknown";
    out.Set("format", format);
    out.Set("bigEndian", Napi::Boolean::New(env, w.big_endian));
    out.Set("nanoseconds", Napi::Boolean::New(env, w.nanoseconds));
    out.Set("modified", Napi::Boolean::New(env, w.modified));
    num(out, "sections", w.sections);
    num(out, "read", static_cast<double>(s.account.read));
    num(out, "filtered", static_cast<double>(s.account.filtered));
    num(out, "duplicate", static_cast<double>(s.account.duplicate));
    auto undecodable = Napi::Object::New(env);
    for (int i = 1; i < static_cast<int>(tf::Undecodable::count); i++)
      if (s.account.undecodable[i]) num(undecodable, tf::undecodable_name(static_cast<tf::Undecodable>(i)), static_cast<double>(s.account.undecodable[i]));
    out.Set("undecodable", undecodable);
    big(out, "minTime", s.min_time);
    big(out, "maxTime", s.max_time);
    bigu(out, "clock", s.clock);
    num(out, "timeSteps", static_cast<double>(s.time_steps));
    num(out, "firstStepPacket", static_cast<double>(s.first_step_packet));
    big(out, "firstStepTime", s.first_step_time);
    num(out, "fragmentLimit", static_cast<double>(s.fragment_limit()));
    num(out, "brokenRecords", static_cast<double>(w.broken_records));
    num(out, "brokenBytes", static_cast<double>(w.broken_bytes));
    num(out, "firstBroken", static_cast<double>(w.first_broken));
    out.Set("truncated", Napi::Boolean::New(env, w.truncated));
    num(out, "truncatedAt", static_cast<double>(w.truncated_at));
    num(out, "packetDrops", static_cast<double>(w.packet_drops));
    num(out, "names", static_cast<double>(w.names));
    auto pairs = [&](const std::map<uint32_t, uint64_t>& m) {
      auto a = Napi::Array::New(env, m.size());
      uint32_t i = 0;
      for (auto& [k, v] : m) {
        auto pair = Napi::Array::New(env, 2);
        pair.Set(0u, Napi::Number::New(env, k));
        pair.Set(1u, Napi::Number::New(env, static_cast<double>(v)));
        a.Set(i++, pair);
      }
      return a;
    };
    out.Set("frames", pairs(s.frames));
    out.Set("linktypes", pairs(s.linktypes));
    out.Set("skippedBlocks", pairs(w.skipped_blocks));
    auto interfaces = Napi::Array::New(env, w.interfaces.size());
    for (uint32_t i = 0; i < w.interfaces.size(); i++) {
      const tf::Interface& f = w.interfaces[i];
      auto o = Napi::Object::New(env);
      num(o, "linktype", f.linktype);
      num(o, "snaplen", f.snaplen);
      bigu(o, "ticks", f.ticks);
      auto text = [&](const char* k, const std::string& v) {
        if (!v.empty()) o.Set(k, Napi::Buffer<char>::Copy(env, v.data(), v.size()));
      };
      text("name", f.name);
      text("description", f.description);
      text("filter", f.filter);
      text("os", f.os);
      if (f.has_stats) {
        num(o, "received", static_cast<double>(f.received));
        num(o, "dropped", static_cast<double>(f.dropped));
        num(o, "accepted", static_cast<double>(f.accepted));
        num(o, "osDropped", static_cast<double>(f.os_dropped));
      }
      interfaces.Set(i, o);
    }
    out.Set("interfaces", interfaces);
    auto comments = Napi::Array::New(env, w.comments.size());
    for (uint32_t i = 0; i < w.comments.size(); i++) {
      auto o = Napi::Object::New(env);
      num(o, "packet", static_cast<double>(w.comments[i].packet));
      o.Set("text", Napi::Buffer<char>::Copy(env, w.comments[i].text.data(), w.comments[i].text.size()));
      comments.Set(i, o);
    }
    out.Set("comments", comments);
    return out;
  }
  std::unique_ptr<tf::Survey> survey_;
};

class EngineWrap : public Napi::ObjectWrap<EngineWrap> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Engine",
                       {InstanceMethod("push", &EngineWrap::push), InstanceMethod("finish", &EngineWrap::finish),
                        InstanceMethod("interfaces", &EngineWrap::interfaces), InstanceMethod("suppress", &EngineWrap::suppress),
                        InstanceMethod("limits", &EngineWrap::limits)});
  }
  // new Engine(options, rows, closed, text, arena, status: Uint32Array[4])
  explicit EngineWrap(const CallbackInfo& info) : Napi::ObjectWrap<EngineWrap>(info) {
    auto o = info[0].As<Napi::Object>();
    tf::Options options;
    options.shard = u32(o.Get("shard"));
    options.shards = std::max(1u, u32(o.Get("shards")));
    options.tcp_overlap = overlap(o, "tcpOverlap");
    options.ip_overlap = overlap(o, "ipOverlap");
    read_key(o, options.key);
    engine_ = std::make_unique<tf::Engine>(options);
    Bytes rows = bytes(info[1]), closed = bytes(info[2]), text = bytes(info[3]), arena = bytes(info[4]), status = bytes(info[5]);
    batch_.rows = reinterpret_cast<tf::EventRow*>(rows.data);
    batch_.row_capacity = static_cast<uint32_t>(rows.len / sizeof(tf::EventRow));
    batch_.closed = reinterpret_cast<double*>(closed.data);
    batch_.closed_capacity = static_cast<uint32_t>(closed.len / (8 * tf::kColumns));
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
    if ((static_cast<uint64_t>(from) + count) * sizeof(tf::IndexRow) > rows.len) return fail(info, "engine.push: rows past their buffer");
    batch_.clear();
    uint32_t n = engine_->push(reinterpret_cast<tf::IndexRow*>(rows.data) + from, count, u64(info[3]), window.data, u64(info[5]), window.len, batch_);
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
  // suppress(words: Float64Array of [slot, serial, side, stop, upto]…, count)
  Napi::Value suppress(const CallbackInfo& info) {
    Bytes b = bytes(info[0]);
    uint32_t n = std::min<uint32_t>(u32(info[1]), static_cast<uint32_t>(b.len / 40));
    const auto* d = reinterpret_cast<const double*>(b.data);
    for (uint32_t i = 0; i < n; i++, d += 5) {
      uint64_t upto = d[4] >= 9e15 ? UINT64_MAX : static_cast<uint64_t>(d[4]);
      engine_->suppress(static_cast<uint32_t>(d[0]), static_cast<uint32_t>(d[1]), static_cast<int>(d[2]), d[3] != 0, upto);
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
  std::unique_ptr<tf::Engine> engine_;
  tf::Batch batch_;
  uint32_t* status_ = nullptr;
  Napi::ObjectReference kept_[5];
};

// sealPart(rows, count, text, captureId, dataset, out, keys)
Napi::Value seal_part(const CallbackInfo& info) {
  Bytes rows = bytes(info[0]), text = bytes(info[2]), out = bytes(info[5]), keys = bytes(info[6]);
  uint32_t count = u32(info[1]);
  if (static_cast<uint64_t>(count) * sizeof(tf::PartRow) > rows.len || static_cast<uint64_t>(count) * sizeof(tf::PartKey) > keys.len)
    return fail(info, "sealPart: rows past their buffer");
  auto* r = reinterpret_cast<tf::PartRow*>(rows.data);
  uint64_t total = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint64_t end = static_cast<uint64_t>(r[i].text) + r[i].text_length;
    auto fits = [&](uint32_t at, uint32_t n) { return static_cast<uint64_t>(at) + n <= r[i].text_length; };
    if (end > text.len || !fits(r[i].event_at, 32) || !fits(r[i].flow_at, 32) || !fits(r[i].capture_at, 64)) return fail(info, "sealPart: text past its buffer");
    total += r[i].text_length;
  }
  if (total > out.len) return fail(info, "sealPart: output too small");
  tf::stamp_part(r, count, reinterpret_cast<char*>(text.data), info[3].ToString(), info[4].ToString());
  tf::sort_part(r, count, reinterpret_cast<char*>(text.data), reinterpret_cast<char*>(out.data), reinterpret_cast<tf::PartKey*>(keys.data));
  return Napi::Number::New(info.Env(), static_cast<double>(total));
}

// LINKTYPE_ numbers of capture files that differ from this system's DLT_ numbers.
int dlt_of(uint32_t linktype) {
  switch (linktype) {
    case 101: return DLT_RAW;
    case 100: return DLT_ATM_RFC1483;
    default: return static_cast<int>(linktype);
  }
}

// compileFilter(expression, linktype, snaplen) → Uint32Array of [code, jt, jf, k]…
Napi::Value compile_filter(const CallbackInfo& info) {
  std::string text = info[0].ToString();
  pcap_t* p = pcap_open_dead(dlt_of(u32(info[1])), static_cast<int>(u32(info[2])));
  if (!p) return fail(info, "libpcap cannot be opened");
  bpf_program program;
  if (pcap_compile(p, &program, text.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0) {
    std::string why = pcap_geterr(p);
    pcap_close(p);
    return fail(info, why);
  }
  auto out = Napi::Uint32Array::New(info.Env(), program.bf_len * 4);
  for (unsigned i = 0; i < program.bf_len; i++) {
    out[i * 4] = program.bf_insns[i].code;
    out[i * 4 + 1] = program.bf_insns[i].jt;
    out[i * 4 + 2] = program.bf_insns[i].jf;
    out[i * 4 + 3] = program.bf_insns[i].k;
  }
  pcap_freecode(&program);
  pcap_close(p);
  return out;
}

Napi::Value verify_filter(const CallbackInfo& info) {
  tf::Program p;
  if (!program_of(info[0], p)) return fail(info, "verifyFilter: not a program");
  auto violations = tf::verify(p);
  auto out = Napi::Array::New(info.Env(), violations.size());
  for (uint32_t i = 0; i < violations.size(); i++) {
    auto o = Napi::Object::New(info.Env());
    o.Set("at", Napi::Number::New(info.Env(), violations[i].at));
    o.Set("what", violations[i].what);
    out.Set(i, o);
  }
  return out;
}

Napi::Value run_filter(const CallbackInfo& info) {
  tf::Program p;
  if (!program_of(info[0], p) || !tf::verify(p).empty()) return fail(info, "runFilter: the program was not verified");
  Bytes d = bytes(info[1]);
  return Napi::Number::New(info.Env(), tf::run(p, d.data, static_cast<uint32_t>(d.len), u32(info[2])));
}

Napi::Value layout(const CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto o = Napi::Object::New(env);
  auto num = [&](const char* k, double v) { o.Set(k, Napi::Number::New(env, v)); };
  num("eventBytes", sizeof(tf::EventRow));
  num("indexBytes", sizeof(tf::IndexRow));
  num("partBytes", sizeof(tf::PartRow));
  num("keyBytes", sizeof(tf::PartKey));
  auto columns = Napi::Array::New(env, tf::kColumns);
  static const char* const names[] = {
#define TF_NAME(name) #name,
      TF_FLOW_COLUMNS(TF_NAME)
#undef TF_NAME
  };
  for (uint32_t i = 0; i < tf::kColumns; i++) columns.Set(i, Napi::String::New(env, names[i]));
  o.Set("columns", columns);
  auto anomalies = Napi::Array::New(env);
  for (uint32_t i = 0; i < static_cast<uint32_t>(tf::Anomaly::count); i++) {
    const auto& t = tf::anomaly_text(static_cast<tf::Anomaly>(i));
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

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("Survey", SurveyWrap::define(env));
  exports.Set("Engine", EngineWrap::define(env));
  exports.Set("sealPart", Napi::Function::New(env, seal_part));
  exports.Set("compileFilter", Napi::Function::New(env, compile_filter));
  exports.Set("verifyFilter", Napi::Function::New(env, verify_filter));
  exports.Set("runFilter", Napi::Function::New(env, run_filter));
  exports.Set("knownLinktype", Napi::Function::New(env, known_linktype));
  exports.Set("layout", Napi::Function::New(env, layout));
  return exports;
}

}  // namespace

NODE_API_MODULE(threatflow, init)
