// A part: serialized records of one shard and dataset with what their ids and their order are made of. Stamping computes the ids
// (SEMANTICS 25) and writes them over the placeholders in the text; sorting orders by time, packet, id (SEMANTICS 27).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace tf {

struct PartRow {
  double seconds;
  double packet;
  double stream;
  uint32_t nanos;
  uint32_t text, text_length;
  uint32_t side, index;
  uint32_t flags;  // 1: belongs to a flow; 2: the flow's own record, no position
  uint32_t event_at, flow_at, capture_at;  // placeholders, from the start of the text; 0: none
  uint32_t zero;
  uint8_t seed[16];  // what flow.id is made of besides the capture
  uint8_t id[16];    // event.id, set by stamping
};
static_assert(sizeof(PartRow) == 96);

// The key of a sorted record: what a merge of parts compares, and the length of its line.
struct PartKey {
  double seconds;
  double packet;
  uint32_t nanos, length;
  uint8_t id[16];
};
static_assert(sizeof(PartKey) == 40);

void stamp_part(PartRow* rows, uint32_t count, char* text, const std::string& capture, const std::string& dataset);
// Writes the lines in order to `out` (as long as the text) and their keys to `keys`.
void sort_part(const PartRow* rows, uint32_t count, const char* text, char* out, PartKey* keys);

}  // namespace tf
