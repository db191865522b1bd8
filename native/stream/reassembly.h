// TCP reassembly of both half-streams of a flow: order, retransmission, overlap, holes. It tells its sink what is delivered.
#pragma once
#include "../flow/flow.h"
#include "policy.h"

namespace tf {

constexpr uint32_t kMaxWaitingBytes = 1u << 20, kMaxWaitingSegments = 1024;  // above a hole, per half-stream
constexpr uint32_t kHolePackets = 16;            // packets of the flow after the receiver acknowledged past a hole
constexpr uint32_t kMaxRetained = 64u << 10;     // delivered and unacknowledged bytes kept per half-stream
constexpr uint32_t kMaxRetainedSegments = 1024;  // and in how many pieces
constexpr uint64_t kMaxRetainedTotal = 64u << 20, kMaxWaitingTotal = 96u << 20;  // in one process

class StreamSink {
 public:
  virtual ~StreamSink() = default;
  // Bytes in order. `in_window`: they lie in the window being pushed and need not be copied.
  virtual void data(Flow& f, int side, const uint8_t* p, uint32_t len, bool in_window, uint64_t packet, int64_t time) = 0;
  virtual void gap(Flow& f, int side, uint64_t len, uint64_t packet, int64_t time) = 0;
  virtual void side_end(Flow& f, int side, uint64_t packet, int64_t time) = 0;
};

class Reassembly {
 public:
  Reassembly(StreamSink& sink, Overlap policy) : sink_(sink), policy_(policy) {}
  // One segment of the flow; `side` sent it. The header is whole.
  void segment(Flow& f, int side, const Transport& t, bool in_window, uint64_t packet, int64_t time);
  // Copies what is retained out of a window that is about to go.
  void keep(Flow& f);
  // The flow is over: holes are given up, waiting bytes delivered.
  void finish(Flow& f);
  // A SYN that does not belong to this flow: another connection on the same ports.
  static bool begins_anew(const Flow& f, int side, const Transport& t);
  uint64_t waiting_limit = 0, retained_limit = 0;
  // The totals; what they are totals of is in the flows.
  void save(SnapshotOut& out) const {
    for (uint64_t v : {waiting_limit, retained_limit, waiting_total_, retained_total_}) out.put(v);
  }
  void restore(SnapshotIn& in) {
    for (uint64_t* v : {&waiting_limit, &retained_limit, &waiting_total_, &retained_total_}) in.get(*v);
  }

 private:
  void control(Flow& f, int side, const Transport& t, uint64_t packet, int64_t time);
  void acknowledge(Flow& f, int side, uint32_t ack);
  void payload(Flow& f, int side, const Transport& t, bool in_window, uint64_t packet, int64_t time);
  void compare_delivered(Flow& f, Half& h, uint32_t seq, const uint8_t* p, uint32_t have, uint32_t len, uint64_t packet, int64_t time);
  void insert(Flow& f, Half& h, Segment s);
  void put(Half& h, size_t at, Segment s);
  void remove(Half& h, size_t at);
  static void coalesce(Half& h, Segment& s);
  void deliver(Flow& f, int side, const uint8_t* p, uint32_t have, uint32_t len, bool in_window, uint64_t packet, int64_t time);
  void drain(Flow& f, int side);
  void holes(Flow& f, uint64_t packet, int64_t time);
  void give_up(Flow& f, int side, uint32_t to, uint64_t packet, int64_t time);
  void retain(Flow& f, Half& h, uint32_t seq, const uint8_t* p, uint32_t len, bool in_window);
  void release(Half& h, uint32_t upto);
  void fin(Flow& f, int side, uint64_t packet, int64_t time);
  static void past_probe(Half& h);
  static void endpoint(Tcp& tcp, int side, uint8_t flags);

  StreamSink& sink_;
  Overlap policy_;
  uint64_t waiting_total_ = 0, retained_total_ = 0;
};

}  // namespace tf
