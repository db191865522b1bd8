// What the tests of the native core share: each test says what a user would say.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "harness.h"

namespace tf {

void check(bool ok, const char* what);

// "45 00" and "4500" alike.
inline std::vector<uint8_t> bytes(const std::string& hex) {
  std::vector<uint8_t> b;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    if (hex[i] == ' ') i--;
    else b.push_back(static_cast<uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return b;
}

inline std::string text(const Outcome& o) { return std::string(o.stream.begin(), o.stream.end()); }
inline const EventRow* note(const Outcome& o, Anomaly a) {
  for (const EventRow& r : o.rows)
    if (r.type == static_cast<uint32_t>(Event::note) && r.extra == static_cast<uint32_t>(a)) return &r;
  return nullptr;
}

// A frame of its own, for those who cut and change it.
struct Sample {
  std::string what;
  uint32_t linktype;
  std::vector<uint8_t> frame;
};
std::vector<Sample> link_samples();
std::vector<Sample> network_samples();
std::vector<Sample> transport_samples();
// Captures of more than one packet.
std::vector<std::pair<std::string, std::vector<uint8_t>>> capture_samples();

void basics();
void capture_files();
void links();
void networks();
void fragments();
void streams();
void engines();
void lines();
void transcripts();
extern bool update_transcripts;  // they are written anew instead of compared

}  // namespace tf
