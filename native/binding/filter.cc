// Filters: libpcap's compiler, our verifier and interpreter.
#include "../filter/bpf.h"

#include <pcap/pcap.h>

#include "args.h"

namespace tf::binding {
namespace {
// LINKTYPE_ numbers of capture files that differ from this system's DLT_ numbers.
int dlt_of(uint32_t linktype) {
  switch (linktype) {
    case 101: return DLT_RAW;
    case 100: return DLT_ATM_RFC1483;
    default: return static_cast<int>(linktype);
  }
}

// countFilter(program, data, length, hits: Float64Array of its instructions) → bytes kept
Napi::Value count_filter(const CallbackInfo& info) {
  Program p;
  Bytes d = bytes(info[1]), hits = bytes(info[3]);
  if (!program_of(info[0], p) || !verify(p).empty() || hits.len < p.size() * 8) return fail(info, "countFilter: the program was not verified");
  return Napi::Number::New(info.Env(), run_counting(p, d.data, static_cast<uint32_t>(d.len), u32(info[2]), reinterpret_cast<double*>(hits.data)));
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
  Program p;
  if (!program_of(info[0], p)) return fail(info, "verifyFilter: not a program");
  auto violations = verify(p);
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
  Program p;
  if (!program_of(info[0], p) || !verify(p).empty()) return fail(info, "runFilter: the program was not verified");
  Bytes d = bytes(info[1]);
  return Napi::Number::New(info.Env(), run(p, d.data, static_cast<uint32_t>(d.len), u32(info[2])));
}
}  // namespace

void add_filter(Napi::Env env, Napi::Object exports) {
  exports.Set("compileFilter", Napi::Function::New(env, compile_filter));
  exports.Set("verifyFilter", Napi::Function::New(env, verify_filter));
  exports.Set("countFilter", Napi::Function::New(env, count_filter));
  exports.Set("runFilter", Napi::Function::New(env, run_filter));
}

}  // namespace tf::binding
