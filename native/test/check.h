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

void basics();
void capture_files();
void links();
void networks();
void fragments();
void streams();
void engines();

}  // namespace tf
