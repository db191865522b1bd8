// The class Live of the addon: reading waits in a thread of the pool, never in JavaScript's.
#include "../live/af_packet.h"

#include <memory>

#include "args.h"

namespace tf::binding {
namespace {
class ReadWork : public Napi::AsyncWorker {
 public:
  ReadWork(Napi::Env env, std::shared_ptr<LiveCapture> live, const Napi::Value& into, int timeout)
      : Napi::AsyncWorker(env), promise_(Napi::Promise::Deferred::New(env)), live_(std::move(live)), timeout_(timeout) {
    Bytes b = bytes(into);
    out_ = b.data, size_ = b.len;
    kept_ = Napi::Persistent(into.As<Napi::Object>());
  }
  Napi::Promise promise() const { return promise_.Promise(); }
  void Execute() override { result_ = live_->read(out_, size_, timeout_); }
  void OnOK() override { promise_.Resolve(Napi::Number::New(Env(), static_cast<double>(result_))); }
  void OnError(const Napi::Error& e) override { promise_.Reject(e.Value()); }

 private:
  Napi::Promise::Deferred promise_;
  std::shared_ptr<LiveCapture> live_;
  Napi::ObjectReference kept_;
  uint8_t* out_ = nullptr;
  size_t size_ = 0;
  int timeout_;
  int64_t result_ = 0;
};

class LiveWrap : public Napi::ObjectWrap<LiveWrap> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Live",
                       {InstanceMethod("open", &LiveWrap::open), InstanceMethod("read", &LiveWrap::read), InstanceMethod("stop", &LiveWrap::stop),
                        InstanceMethod("filter", &LiveWrap::filter), InstanceMethod("stats", &LiveWrap::stats),
                        InstanceMethod("close", &LiveWrap::close)});
  }
  explicit LiveWrap(const CallbackInfo& info) : Napi::ObjectWrap<LiveWrap>(info), live_(std::make_shared<LiveCapture>()) {}

 private:
  // open({interface, snaplen, bufferBytes, promiscuous, program, form, id}) → {what, error, linktype, promiscuous}
  Napi::Value open(const CallbackInfo& info) {
    auto o = info[0].As<Napi::Object>();
    LiveOptions options;
    options.interface = o.Get("interface").ToString();
    options.snaplen = std::max(1u, u32(o.Get("snaplen")));
    options.buffer_bytes = std::min(u32(o.Get("bufferBytes")), 2047u << 20);
    options.promiscuous = o.Get("promiscuous").ToBoolean();
    options.form = u32(o.Get("form")) ? RecordForm::pcapng : RecordForm::pcap;
    options.interface_id = u32(o.Get("id"));
    if (!program_of(o.Get("program"), options.program) || (!options.program.empty() && !verify(options.program).empty()))
      return fail(info, "Live.open: the program was not verified");
    auto out = Napi::Object::New(info.Env());
    out.Set("what", live_->open(options));
    out.Set("error", Napi::Number::New(info.Env(), live_->error));
    out.Set("linktype", Napi::Number::New(info.Env(), live_->linktype));
    out.Set("promiscuous", Napi::Boolean::New(info.Env(), live_->promiscuous));
    return out;
  }
  // read(into, timeoutMs) → promise of bytes written, or -errno
  Napi::Value read(const CallbackInfo& info) {
    auto* work = new ReadWork(info.Env(), live_, info[0], static_cast<int>(std::min(u32(info[1]), 10000u)));
    work->Queue();
    return work->promise();
  }
  Napi::Value stop(const CallbackInfo& info) { return Napi::String::New(info.Env(), live_->stop()); }
  Napi::Value filter(const CallbackInfo& info) {
    Program p;
    if (!program_of(info[0], p) || (!p.empty() && !verify(p).empty())) return fail(info, "Live.filter: the program was not verified");
    return Napi::String::New(info.Env(), live_->filter(p));
  }
  Napi::Value stats(const CallbackInfo& info) {
    LiveStats s = live_->stats();
    auto o = Napi::Object::New(info.Env());
    o.Set("packets", Napi::Number::New(info.Env(), static_cast<double>(live_->packets)));
    o.Set("received", Napi::Number::New(info.Env(), static_cast<double>(s.received)));
    o.Set("dropped", Napi::Number::New(info.Env(), static_cast<double>(s.dropped)));
    o.Set("freezes", Napi::Number::New(info.Env(), static_cast<double>(s.freezes)));
    o.Set("disagreed", Napi::Number::New(info.Env(), static_cast<double>(s.disagreed)));
    return o;
  }
  Napi::Value close(const CallbackInfo& info) {
    live_->close();
    return info.Env().Undefined();
  }
  std::shared_ptr<LiveCapture> live_;
};
}  // namespace

void add_live(Napi::Env env, Napi::Object exports) { exports.Set("Live", LiveWrap::define(env)); }

}  // namespace tf::binding
