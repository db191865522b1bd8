// Runs captures through the whole native core, under whatever sanitizers it was built with: corpus_native FILE…
#include <cstdio>
#include <vector>

#include "../harness.h"

int main(int argc, char** argv) {
  unsigned long files = 0, packets = 0;
  for (int i = 1; i < argc; i++) {
    FILE* f = fopen(argv[i], "rb");
    if (!f) continue;
    std::vector<uint8_t> bytes;
    uint8_t chunk[65536];
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;) bytes.insert(bytes.end(), chunk, chunk + n);
    fclose(f);
    tf::Outcome a = tf::run_capture(bytes.data(), bytes.size(), 64 << 10, 1);
    tf::Outcome b = tf::run_capture(bytes.data(), bytes.size(), 1 << 20, 3);
    if (a.packets != b.packets || a.flows != b.flows) {
      printf("%s: %lu packets, %lu flows in one shard, %lu and %lu in three\n", argv[i], a.packets, a.flows, b.packets, b.flows);
      return 1;
    }
    // In segments, the engine written out and read back between them: the same events.
    if (a.packets > 1) {
      size_t segment = a.packets < 200 ? 1 : a.packets / 7;
      tf::Outcome c = tf::run_capture(bytes.data(), bytes.size(), 64 << 10, 1, tf::Overlap::linux_, false, nullptr, segment);
      if (a.events != c.events || a.sum != c.sum) {
        printf("%s: other events in segments of %zu packets\n", argv[i], segment);
        return 1;
      }
    }
    files += a.capture, packets += a.packets;
  }
  printf("corpus_native: %lu captures, %lu packets\n", files, packets);
  return 0;
}
