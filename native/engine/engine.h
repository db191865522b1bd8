// Decodes the packets of one shard up to transport payload: rows of the index and windows of bytes in, batches of events out.
// It sees bytes and the capture's clock: no files, no sockets, no time of day.
#pragma once
#include <vector>

#include "../flow/defrag.h"
#include "../flow/table.h"
#include "../stream/reassembly.h"
#include "batch.h"

namespace tf {

struct Options {
  uint32_t shard = 0, shards = 1;
  Overlap tcp_overlap = Overlap::linux_, ip_overlap = Overlap::linux_;
  uint64_t interim = 0;  // ns of the clock between interim records of an open flow; 0: none
  uint64_t quiet = kQuiet;  // ns of the clock after which a flow is packed
  uint64_t key[2] = {0x243f6a8885a308d3ULL, 0x13198a2e03707344ULL};
};

class Engine : private StreamSink {
 public:
  explicit Engine(const Options& o);
  void interfaces(std::vector<uint32_t> linktypes) { linktypes_ = std::move(linktypes); }

  // Takes rows from `first` on while the batch has room and their bytes lie in the window. Returns how many it took.
  uint32_t push(const IndexRow* rows, uint32_t count, uint64_t first_packet, const uint8_t* window, uint64_t base, uint64_t len, Batch& b);
  // The capture is over at this clock. True when all is told; false: take the batch and call again.
  bool finish(uint64_t clock, Batch& b);
  // What TypeScript wants no more of: bytes up to a stream offset, or the rest of the side.
  void suppress(uint32_t slot, uint32_t serial, int side, bool stop, uint64_t upto);
  // TypeScript keeps nothing that was told of this flow: it is opened again with its next bytes, and told whole where it closes.
  void forget(uint32_t slot, uint32_t serial);

  // Between pushes, with nothing suppressed on its way: all that is open, for an engine of the same shard to go on from. False: it is no
  // snapshot of such an engine, and this one is not to be used.
  void save(SnapshotOut& out) const;
  bool restore(SnapshotIn& in);

  struct Limits {
    uint64_t flows = 0, fragments = 0, waiting = 0, retained = 0;
  };
  Limits limits() const { return {flow_limit_, defrag_.limit_hits, streams_.waiting_limit, streams_.retained_limit}; }

 private:
  void data(Flow& f, int side, const uint8_t* p, uint32_t len, bool in_window, uint64_t packet, int64_t time) override;
  void gap(Flow& f, int side, uint64_t len, uint64_t packet, int64_t time) override;
  void side_end(Flow& f, int side, uint64_t packet, int64_t time) override;

  void take(const IndexRow& row, uint64_t packet, const uint8_t* p);
  void frame(const Packet& p, const IndexRow& row, uint64_t packet);
  void ip(Packet& p, uint64_t packet, int64_t time, uint64_t clock, const std::vector<Piece>* pieces);
  void datagram(Flow& f, int side, const Transport& t, const Packet& p, uint64_t packet, int64_t time);
  void fragment(const Packet& p, const IndexRow& row, uint64_t packet, int depth);
  void given_up(const Datagram& d, EndReason reason);
  Flow* flow_for(const FlowKey& key, uint64_t clock, const Transport& t, bool forward);
  void begin(Flow& f, const Packet& p, const Transport& t, bool forward, uint64_t packet, int64_t time, uint64_t clock);
  void count(Flow& f, int side, const Packet& p, const Transport& t, uint64_t packet, int64_t time, uint64_t clock,
             const std::vector<Piece>* pieces);
  void open(Flow& f);
  std::string describe(const Flow& f) const;
  void close(Flow* f, EndReason reason);
  void interim(Flow& f, uint64_t clock);
  void tell(Event what, const Flow& f, EndReason reason);
  void expire(uint64_t clock, uint32_t most);
  void loose(const Oddities& o, uint64_t packet, int64_t time);
  void note_row(uint32_t flow, const Note& n);
  void stamp(EventRow& r, uint64_t packet, int64_t time) const;
  void locate(EventRow& r, const uint8_t* p, uint32_t len, bool in_window);

  Options options_;
  FlowTable flows_;
  Defrag defrag_;
  Reassembly streams_;
  std::vector<uint32_t> linktypes_;
  std::vector<Note> loose_;  // oddities without a flow, one per name
  std::vector<std::pair<uint32_t, uint32_t>> dirty_;  // slot and serial of flows that hold bytes of the window
  Batch* b_ = nullptr;
  const uint8_t* window_ = nullptr;
  uint64_t flow_limit_ = 0, clock_ = 0;
  bool loose_told_ = false;
};

}  // namespace tf
