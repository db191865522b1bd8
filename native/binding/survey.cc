// The class Survey of the addon.
#include <arpa/inet.h>

#include "../engine/headers.h"
#include "../engine/survey.h"
#include "../flow/transport.h"

#include "args.h"

namespace tf::binding {
namespace {
class SurveyWrap : public Napi::ObjectWrap<SurveyWrap> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Survey",
                       {InstanceMethod("push", &SurveyWrap::push), InstanceMethod("filter", &SurveyWrap::filter),
                        InstanceMethod("filtering", &SurveyWrap::filtering),
                        InstanceMethod("scouting", &SurveyWrap::scouting), InstanceMethod("verdicts", &SurveyWrap::verdicts), InstanceMethod("patches", &SurveyWrap::patches),
                        InstanceMethod("finish", &SurveyWrap::finish), InstanceMethod("summary", &SurveyWrap::summary),
                        InstanceMethod("linktypes", &SurveyWrap::linktypes)});
  }
  explicit SurveyWrap(const CallbackInfo& info) : Napi::ObjectWrap<SurveyWrap>(info) {
    auto o = info[0].As<Napi::Object>();
    uint64_t key[2] = {1, 2};
    read_key(o, key);
    survey_ = std::make_unique<Survey>(key, overlap(o, "ipOverlap"), u64(o.Get("dedupNs")));
    survey_->walker.live = o.Get("live").ToBoolean();
  }

 private:
  // push(window, last, rows, status: Float64Array) → need; status = [count, needed, consumed, linktype]
  Napi::Value push(const CallbackInfo& info) {
    Bytes w = bytes(info[0]), rows = bytes(info[2]), status = bytes(info[3]);
    if (status.len < 32 || rows.len < sizeof(IndexRow)) return fail(info, "survey.push: buffers too small");
    uint32_t count = 0;
    auto need = survey_->push(w.data, w.len, info[1].ToBoolean(), reinterpret_cast<IndexRow*>(rows.data),
                              static_cast<uint32_t>(rows.len / sizeof(IndexRow)), &count);
    auto* s = reinterpret_cast<double*>(status.data);
    s[0] = count;
    s[1] = static_cast<double>(survey_->walker.needed());
    s[2] = static_cast<double>(survey_->walker.consumed());
    s[3] = survey_->wanted_linktype;
    return Napi::Number::New(info.Env(), static_cast<double>(need));
  }
  Napi::Value filter(const CallbackInfo& info) {
    Program p;
    if (!program_of(info[1], p)) return fail(info, "survey.filter: not a program");
    if (!verify(p).empty()) return fail(info, "survey.filter: the program was not verified");
    survey_->filter(u32(info[0]), std::move(p));
    return info.Env().Undefined();
  }
  Napi::Value filtering(const CallbackInfo& info) {
    survey_->filtering(info[0].ToBoolean());
    return info.Env().Undefined();
  }
  Napi::Value scouting(const CallbackInfo& info) {
    survey_->scouting(info[0].ToBoolean());
    return info.Env().Undefined();
  }
  // verdicts(bytes, first): of the packets from `first` (from 0) on; not 0: left out
  Napi::Value verdicts(const CallbackInfo& info) {
    Bytes v = bytes(info[0]);
    survey_->verdicts(v.data, v.len, u64(info[1]));
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
    const Survey& s = *survey_;
    const Walker& w = s.walker;
    auto out = Napi::Object::New(env);
    auto num = [&](Napi::Object& o, const char* k, double v) { o.Set(k, Napi::Number::New(env, v)); };
    auto big = [&](Napi::Object& o, const char* k, int64_t v) { o.Set(k, Napi::BigInt::New(env, v)); };
    auto bigu = [&](Napi::Object& o, const char* k, uint64_t v) { o.Set(k, Napi::BigInt::New(env, v)); };
    const char* format = w.format == Walker::Format::pcapng ? "pcapng" : w.format == Walker::Format::pcap ? "pcap" : "unknown";
    out.Set("format", format);
    out.Set("bigEndian", Napi::Boolean::New(env, w.big_endian));
    out.Set("nanoseconds", Napi::Boolean::New(env, w.nanoseconds));
    out.Set("modified", Napi::Boolean::New(env, w.modified));
    num(out, "sections", w.sections);
    num(out, "read", static_cast<double>(s.account.read));
    num(out, "filtered", static_cast<double>(s.account.filtered));
    num(out, "duplicate", static_cast<double>(s.account.duplicate));
    auto undecodable = Napi::Object::New(env);
    for (int i = 1; i < static_cast<int>(Undecodable::count); i++)
      if (s.account.undecodable[i]) num(undecodable, undecodable_name(static_cast<Undecodable>(i)), static_cast<double>(s.account.undecodable[i]));
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
      const Interface& f = w.interfaces[i];
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
      auto counter = [&](const char* k, uint64_t v) {
        if (v != kNotTold) num(o, k, static_cast<double>(v));
      };
      counter("received", f.received);
      counter("dropped", f.dropped);
      counter("osDropped", f.os_dropped);
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
  std::unique_ptr<Survey> survey_;
};
// describePackets(rows, count, window, base, linktypes, out): headers of packets that lie in the window; those that were filtered are zeros
Napi::Value describe_packets(const CallbackInfo& info) {
  Bytes rows = bytes(info[0]), w = bytes(info[2]), types = bytes(info[4]), out = bytes(info[5]);
  size_t count = u32(info[1]);
  uint64_t base = u64(info[3]);
  if (rows.len < count * sizeof(IndexRow) || out.len < count * sizeof(HeaderRow)) return fail(info, "describePackets: buffers too small");
  const auto* row = reinterpret_cast<const IndexRow*>(rows.data);
  const auto* linktypes = reinterpret_cast<const uint32_t*>(types.data);
  for (size_t i = 0; i < count; i++) {
    auto& h = reinterpret_cast<HeaderRow*>(out.data)[i];
    h = {};
    const IndexRow& r = row[i];
    if (r.flags & kFiltered || r.offset < base || r.offset + r.caplen > base + w.len || r.interface >= types.len / 4) continue;
    describe_packet(linktypes[r.interface], w.data + (r.offset - base), r.caplen, r.length, h);
  }
  return info.Env().Undefined();
}
// tupleHash(source, port, destination, port, protocol) → the hash that the index has for packets of that flow; addresses as text
Napi::Value tuple_hash_of(const CallbackInfo& info) {
  Address ends[2];
  for (int i = 0; i < 2; i++) {
    std::string text = info[2 * i].ToString();
    uint8_t b[16];
    if (inet_pton(AF_INET, text.c_str(), b) == 1) ends[i] = ipv4_address(b);
    else if (inet_pton(AF_INET6, text.c_str(), b) == 1) ends[i] = ipv6_address(b);
    else return fail(info, "tupleHash: no address");
  }
  auto port = [&](int i) { return static_cast<uint16_t>(u32(info[i])); };
  return Napi::Number::New(info.Env(), tuple_hash(ends[0], port(1), ends[1], port(3), static_cast<uint8_t>(u32(info[4]))));
}
}  // namespace

void add_survey(Napi::Env env, Napi::Object exports) { 
  exports.Set("Survey", SurveyWrap::define(env));
  exports.Set("tupleHash", Napi::Function::New(env, tuple_hash_of));
  exports.Set("describePackets", Napi::Function::New(env, describe_packets));
}

}  // namespace tf::binding
