// A part: records of one shard and dataset that wait for the capture's id. Each is a row and pieces of text that TypeScript wrote; sealing
// computes the ids (SEMANTICS 25), orders by time, packet, id (SEMANTICS 27) and writes each record's line of JSON (line.cc).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "batch.h"

namespace tf {

// Bytes of the part's text; records may share one. No length: not there.
struct Span {
  uint32_t at, length;
};

enum PartFlag : uint32_t {
  kOfFlow = 1,      // belongs to a flow
  kWhole = 2,       // the flow's own record: its id has no position; `columns` is there
  kReversed = 4,    // the flow's native side 1 is the originator
  kFinal = 8,       // the flow has ended
  kOutcomeShift = 8  // two bits: index of event.outcome
};

struct PartRow {
  double seconds, packet, stream;  // the record's position
  double start_seconds, end_seconds;
  uint32_t nanos, start_nanos, end_nanos;
  uint32_t side, index;
  uint32_t flags;
  uint32_t packed, ports;  // as Event::open tells them
  Span types;             // JSON list: event.type
  Span flow;              // what Engine::describe wrote
  Span transport, protocol;  // names: network.transport, network.protocol
  Span protocols;         // JSON list
  Span anomalies;         // JSON list
  Span observer;          // JSON object
  Span ips;               // JSON list: related.ip, where it is not the flow's addresses alone
  Span names;             // members of `related` besides `ip`
  Span ends;              // members of a record without a flow, each with a comma before it
  Span body;              // JSON object: its members follow the envelope's
  Span columns;           // kColumns doubles
  Span history;
  uint8_t flow_id[16], id[16];  // set by stamping
};
static_assert(sizeof(PartRow) == 208);

// The key of a sorted record: what a merge of parts compares, and the length of its line.
struct PartKey {
  double seconds;
  double packet;
  uint32_t nanos, length;
  uint8_t id[16];
};
static_assert(sizeof(PartKey) == 40);

constexpr Span PartRow::*kSpans[] = {&PartRow::types,    &PartRow::flow, &PartRow::transport, &PartRow::protocol, &PartRow::protocols,
                                       &PartRow::anomalies, &PartRow::observer, &PartRow::ips,  &PartRow::names,    &PartRow::ends,
                                       &PartRow::body,     &PartRow::columns, &PartRow::history};

// Every piece lies in a text of that length, and what a row says of itself is there: checked once, before the functions below.
bool part_fits(const PartRow* rows, uint32_t count, uint64_t text_length);
void stamp_part(PartRow* rows, uint32_t count, const char* text, const std::string& capture, const std::string& dataset);
// At most the bytes that `seal_part` writes.
uint64_t part_bound(const PartRow* rows, uint32_t count);
struct Sealed {
  uint64_t bytes;
  uint32_t longest;  // line, its line feed included
};
// Writes the lines in order to `out` and their keys to `keys`.
Sealed seal_part(const PartRow* rows, uint32_t count, const char* text, const std::string& capture, const std::string& dataset, char* out, PartKey* keys);

}  // namespace tf
