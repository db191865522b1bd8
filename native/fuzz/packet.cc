// One packet: the first two bytes choose the link type, the rest is the frame; then transport and key.
#include "../flow/transport.h"
#include "../wire/bytes.h"
#include "../wire/dissect.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  uint32_t length = static_cast<uint32_t>(size - 3);
  tf::Packet p;
  tf::dissect(tf::be16(data) % 300, data + 3, length, length + (data[2] & 1 ? 1000 : 0), p);
  if (p.carries == tf::Carries::ip) {
    tf::Transport t;
    tf::read_transport(p, t, true);
    bool forward = false;
    tf::key_hash(tf::flow_key(p, t, &forward));
  }
  return 0;
}
