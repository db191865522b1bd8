// Sorted runs become one sorted stream of lines (SEMANTICS 27: by time, packet, id). A run is its lines in order and a PartKey for each.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "part.h"

namespace tf {

// Bytes read from front to back. Returns how many came: 0 at the end, negative for a system error (-errno).
using Reader = std::function<int64_t(uint8_t* into, size_t most)>;
struct RunReader {
  Reader text, keys;
};

// Writes every line in order to `write` (false: stop), and where it is given each line's key to `key`. Returns 0, or -errno of a reader, or -EIO where a run is shorter than its keys say.
int64_t merge_runs(std::vector<RunReader>& runs, const std::function<bool(const uint8_t*, size_t)>& write,
                   const std::function<bool(const PartKey&)>& key = {});

}  // namespace tf
