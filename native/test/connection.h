#pragma once
#include <string>
#include <vector>

#include "../flow/transport.h"
#include "../wire/dissect.h"
#include "check.h"

namespace tf {

// A capture of TCP segments of one connection, built by hand.
struct Maker {
  std::vector<uint8_t> file = pcap_head(1);
  uint32_t time = 1000;
  uint16_t window = 65535;
  void tcp(bool client, uint32_t seq, uint32_t ack, uint8_t flags, const std::string& payload) {
    uint32_t total = 40 + static_cast<uint32_t>(payload.size()), frame = total + 14;
    std::vector<uint8_t> p(frame);
    p[12] = 8;
    uint8_t* ip = p.data() + 14;
    ip[0] = 0x45;
    put_be16(ip + 2, static_cast<uint16_t>(total));
    ip[8] = 64, ip[9] = 6;
    ip[12] = 10, ip[15] = client ? 1 : 2;
    ip[16] = 10, ip[19] = client ? 2 : 1;
    put_be16(ip + 10, static_cast<uint16_t>(~checksum_fold(checksum_add(ip, 20, 0))));
    uint8_t* t = ip + 20;
    put_be16(t, client ? 4000 : 80);
    put_be16(t + 2, client ? 80 : 4000);
    put_be32(t + 4, seq);
    put_be32(t + 8, ack);
    t[12] = 0x50, t[13] = flags;
    put_be16(t + 14, window);
    memcpy(t + 20, payload.data(), payload.size());
    uint8_t pseudo[12] = {0};
    memcpy(pseudo, ip + 12, 8);
    pseudo[9] = 6;
    put_be16(pseudo + 10, static_cast<uint16_t>(total - 20));
    put_be16(t + 16, static_cast<uint16_t>(~checksum_fold(checksum_add(t, total - 20, checksum_add(pseudo, 12, 0)))));
    pcap_add(file, time++, p.data(), p.size());
  }
  void handshake() {
    tcp(true, 99, 0, SYN, "");
    tcp(false, 499, 100, SYN | ACK, "");
    tcp(true, 100, 500, ACK, "");
  }
  Outcome outcome(Overlap policy = Overlap::linux_) { return run_capture(file.data(), file.size(), 1 << 16, 1, policy, true); }
};

}  // namespace tf
