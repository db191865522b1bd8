// Whole captures: walker, survey, engine, in one shard and three, in small windows, and with the engine carried over between packets.
#include "../test/harness.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 4) return 0;
  tf::Outcome a = tf::run_capture(data, size, 256, 1, static_cast<tf::Overlap>(data[size - 1] % 5));
  tf::Outcome b = tf::run_capture(data, size, 1 << 16, 3, static_cast<tf::Overlap>(data[size - 1] % 5));
  if (a.packets != b.packets || a.flows != b.flows) __builtin_trap();
  tf::Outcome c = tf::run_capture(data, size, 256, 1, static_cast<tf::Overlap>(data[size - 1] % 5), false, nullptr, 1 + data[size / 2] % 5);
  if (a.events != c.events || a.sum != c.sum) __builtin_trap();
  return 0;
}
