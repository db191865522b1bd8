// What crosses to TypeScript in one go: rows of events, a table of closed flows, text, and bytes that had to be copied. The memory
// belongs to the caller. `layout()` in the binding hands these numbers to TypeScript, so they are written once.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>

namespace tf {

enum class Event : uint32_t { none, open, data, gap, side_end, datagram, frame, note, close, interim, count };

// One event: 18 words. Times are whole seconds and nanoseconds; 64-bit numbers are doubles (exact to 2^53).
struct EventRow {
  uint32_t type;
  uint32_t flow;    // slot; kNoFlow for none
  uint32_t offset;  // of the bytes, in the window (arena = 0) or the arena (1)
  uint32_t length;
  double packet;
  double seconds;
  double stream;    // offset of the first byte in its half-stream; a gap's length is in `length` and `extra`
  uint32_t nanos;
  uint32_t side;
  uint32_t arena;
  uint32_t text, text_length;  // in the text area
  uint32_t extra;
  double clock;     // the capture's clock at the packet that brought it, seconds
};
static_assert(sizeof(EventRow) == 72);
constexpr uint32_t kNoFlow = 0xffffffff;

// A closed flow, or an open one as it stands, all doubles. Names are the TypeScript names.
#define TF_FLOW_COLUMNS(X)                                                                                                        \
  X(firstPacket) X(firstSeconds) X(firstNanos) X(startSeconds) X(startNanos) X(endSeconds) X(endNanos) X(durationNs) X(endReason) \
  X(protocol) X(version) X(kind) X(sourcePort) X(destinationPort) X(hasPorts) X(interface) X(icmpType) X(icmpCode) X(rtt)         \
  X(conflicts) X(fragment)                                                                                                       \
  X(packets0) X(bytes0) X(payload0) X(missed0) X(flags0) X(state0) X(retransmits0) X(outOfOrder0) X(scale0) X(mss0) X(stream0)     \
  X(packets1) X(bytes1) X(payload1) X(missed1) X(flags1) X(state1) X(retransmits1) X(outOfOrder1) X(scale1) X(mss1) X(stream1)     \
  X(synBy) X(reversible)

enum class Column : uint32_t {
#define TF_COLUMN(name) name,
  TF_FLOW_COLUMNS(TF_COLUMN)
#undef TF_COLUMN
      count
};
constexpr uint32_t kColumns = static_cast<uint32_t>(Column::count);
enum class EndReason : uint32_t { fin, rst, timeout, capture_end, none };

// Rows and areas keep this much free before a packet is taken, so that one packet's outcome always fits.
constexpr uint32_t kReserveRows = 16384, kReserveClosed = 64, kReserveText = 256u << 10, kReserveArena = 8u << 20;

struct Batch {
  EventRow* rows = nullptr;
  uint32_t row_capacity = 0, row_count = 0;
  double* closed = nullptr;
  uint32_t closed_capacity = 0, closed_count = 0;
  char* text = nullptr;
  uint32_t text_capacity = 0, text_length = 0;
  uint8_t* arena = nullptr;
  uint32_t arena_capacity = 0, arena_length = 0;

  void clear() { row_count = closed_count = text_length = arena_length = 0; }
  bool room() const {
    return row_capacity - row_count >= kReserveRows && closed_capacity - closed_count >= kReserveClosed &&
           text_capacity - text_length >= kReserveText && arena_capacity - arena_length >= kReserveArena;
  }
  EventRow& row(Event type, uint32_t flow) {
    EventRow& r = rows[row_count++];
    memset(&r, 0, sizeof r);
    r.type = static_cast<uint32_t>(type);
    r.flow = flow;
    return r;
  }
  void put_text(EventRow& r, const std::string& s) {
    r.text = text_length;
    r.text_length = static_cast<uint32_t>(s.size());
    memcpy(text + text_length, s.data(), s.size());
    text_length += r.text_length;
  }
  uint32_t copy(const uint8_t* p, uint32_t len) {
    uint32_t at = arena_length;
    if (len) memcpy(arena + at, p, len);
    arena_length += len;
    return at;
  }
};

// A row of the packet index: where the packet's bytes lie, its clock, its time, and which flow it belongs to.
struct IndexRow {
  uint64_t offset;  // of the packet's bytes in the capture
  uint64_t clock;   // ns, SEMANTICS 1
  int64_t time;     // ns since 1970
  uint32_t hash, caplen, length;
  uint16_t interface, flags;
};
static_assert(sizeof(IndexRow) == 40);
enum IndexFlag : uint16_t {
  kFiltered = 1, kNoTuple = 2, kUndecodable = 4, kDuplicate = 8, kTimeClamped = 16, kCaplenExcess = 32, kPending = 64
};

}  // namespace tf
