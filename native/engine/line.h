// A record's line of JSON: the envelope of every record (when, who, whom, which flow, which packet, stable ids), the flow's own record, and
// the members that a decoder wrote. Field names and their order: src/records/fields.ts.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "part.h"

namespace tf {

// 16 bytes as 32 digits.
void hex(const uint8_t* in, char* out);
// At most the bytes of the row's line.
uint64_t line_bound(const PartRow& r);

class LineWriter {
 public:
  LineWriter(const std::string& capture, const std::string& dataset);
  // The line with its line feed, of a stamped row whose pieces fit; returns its bytes.
  size_t write(const PartRow& r, const char* text, char* out);

 private:
  void timestamp(double seconds, uint32_t nanos);
  void put(const char* p, size_t n);
  void put(Span p) { put(text_ + p.at, p.length); }
  template <size_t N>
  void put(const char (&literal)[N]) {
    put(literal, N - 1);
  }
  void number(double v);
  void number(uint64_t v);
  void pair(const char* name, double source, double destination);
  void flow_members(const PartRow& r);
  void side(const PartRow& r, int native);
  void tcp(const PartRow& r);
  double column(uint32_t c) const;
  double own(uint32_t first, int role) const;
  void split(const PartRow& r);

  std::string dataset_, capture_;
  int64_t day_ = INT64_MIN;
  char date_[11];
  const char* text_ = nullptr;
  char* out_ = nullptr;
  // Of the row at hand: the fields of its flow's text, and its columns.
  struct Field {
    const char* at;
    size_t length;
  } told_[8];
  const char* columns_ = nullptr;
  bool reversed_ = false;
};

}  // namespace tf
