// The engine's state, written out at the end of a segment and read back where the next one begins.
#include "engine.h"

namespace tf {
namespace {

// Which engine, and how its structures lie in memory: another compiler's or version's do not fit.
struct Form {
  uint32_t version = 5, shard, shards;
  uint8_t tcp_overlap, ip_overlap;
  uint16_t flow = sizeof(LinkPlain) + sizeof(FlowPlain), tcp = sizeof(TcpPlain), half = sizeof(HalfPlain), datagram = sizeof(DatagramPlain), note = sizeof(Note);
  explicit Form(const Options& o)
      : shard(o.shard), shards(o.shards), tcp_overlap(static_cast<uint8_t>(o.tcp_overlap)), ip_overlap(static_cast<uint8_t>(o.ip_overlap)) {}
};

}  // namespace

void Engine::save(SnapshotOut& out) const {
  Form form(options_);
  out.put(form);
  out.put(clock_);
  out.put(flow_limit_);
  out.list(loose_);
  streams_.save(out);
  flows_.save(out);
  defrag_.save(out);
  out.end();
}

bool Engine::restore(SnapshotIn& in) {
  Form own(options_), theirs(options_);
  in.get(theirs);
  if (!in.ok || memcmp(&own, &theirs, sizeof own) != 0) return false;
  in.get(clock_);
  in.get(flow_limit_);
  in.list(loose_, 1u << 16);
  streams_.restore(in);
  flows_.restore(in);
  if (in.ok) defrag_.restore(in);
  return in.ok;
}

}  // namespace tf
