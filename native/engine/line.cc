#include "line.h"

#include <charconv>
#include <cstring>
#include <utility>

#include "../flow/flow.h"

namespace tf {
namespace {
constexpr char kEcsVersion[] = "9.4.0";
constexpr uint32_t kTcp = 6, kIcmp = 1, kIcmp6 = 58;
constexpr uint32_t kHasPorts = 0x10000;  // of PartRow::packed
// More than the names of all members, their numbers and the ids take; of a flow's own record more.
constexpr uint64_t kFixed = 1000, kFixedWhole = 1200;

constexpr const char* kOutcomes[] = {"", "success", "failure", "unknown"};
constexpr const char* kEndReasons[] = {"fin", "rst", "timeout", "capture-end"};
constexpr const char* kFlags[] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"};

// What the flow's text has, in the order of Engine::describe.
enum Told { kAddress0, kAddress1, kCommunity, kMac0, kMac1, kVlan, kInnerVlan, kTunnels };

constexpr uint32_t kPerSide = static_cast<uint32_t>(Column::packets1) - static_cast<uint32_t>(Column::packets0);
constexpr uint32_t at(Column c) { return static_cast<uint32_t>(c); }

void two_digits(char* p, int v) {
  p[0] = static_cast<char>('0' + v / 10);
  p[1] = static_cast<char>('0' + v % 10);
}

// Days since 1970 as `2026-11-24T` (years 0 to 9999 of the Gregorian calendar): H. Hinnant's civil_from_days.
void date_of(int64_t days, char* p) {
  const int64_t z = days + 719468;
  const int64_t era = (z >= 0 ? z : z - 146096) / 146097;
  const int64_t of_era = z - era * 146097;
  const int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  const int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month = (5 * of_year + 2) / 153;
  const auto d = static_cast<int>(of_year - (153 * month + 2) / 5 + 1);
  const auto m = static_cast<int>(month < 10 ? month + 3 : month - 9);
  const auto y = static_cast<int>(year_of_era + era * 400 + (m <= 2));
  two_digits(p, y / 100);
  two_digits(p + 2, y % 100);
  p[4] = p[7] = '-';
  two_digits(p + 5, m);
  two_digits(p + 8, d);
  p[10] = 'T';
}

// Zeek's conn_state from both endpoints' states.
const char* conn_state(Endpoint orig, Endpoint resp) {
  using E = Endpoint;
  if (resp == E::reset) {
    if (orig == E::syn_sent || orig == E::syn_ack_sent) return "REJ";
    return orig == E::inactive ? "RSTRH" : "RSTR";
  }
  if (orig == E::reset) return resp == E::inactive ? "RSTOS0" : "RSTO";
  if (orig == E::closed && resp == E::closed) return "SF";
  if (orig == E::closed) return resp == E::inactive ? "SH" : "S2";
  if (resp == E::closed) return orig == E::inactive ? "SHR" : "S3";
  if (orig == E::syn_sent && resp == E::inactive) return "S0";
  if (orig == E::established && resp == E::established) return "S1";
  return "OTH";
}

}  // namespace

void hex(const uint8_t* in, char* out) {
  for (int i = 0; i < 16; i++) {
    out[2 * i] = "0123456789abcdef"[in[i] >> 4];
    out[2 * i + 1] = "0123456789abcdef"[in[i] & 15];
  }
}

uint64_t line_bound(const PartRow& r) {
  uint64_t n = kFixed + (r.flags & kWhole ? kFixedWhole : 0) + 3 * static_cast<uint64_t>(r.flow.length);  // addresses stand twice, each tunnel in quotes
  for (Span PartRow::*p : kSpans)
    if (p != &PartRow::flow && p != &PartRow::columns) n += (r.*p).length;
  return n;
}

LineWriter::LineWriter(const std::string& capture, const std::string& dataset)
    : dataset_("\",\"dataset\":\"" + dataset + "\",\"kind\":\"event\",\"category\":[\"network\"],\"type\":"), capture_(capture.substr(0, 64)) {}

void LineWriter::put(const char* p, size_t n) {
  memcpy(out_, p, n);
  out_ += n;
}
void LineWriter::number(uint64_t v) { out_ = std::to_chars(out_, out_ + 20, v).ptr; }
void LineWriter::number(double v) { number(v > 0 ? static_cast<uint64_t>(v) : 0); }

void LineWriter::timestamp(double seconds, uint32_t nanos) {
  const auto all = static_cast<int64_t>(seconds);
  const int64_t day = all >= 0 ? all / 86400 : (all - 86399) / 86400;
  if (day != day_) {
    day_ = day;
    date_of(day, date_);
  }
  put(date_, sizeof date_);
  const auto s = static_cast<int>(all - day * 86400);
  two_digits(out_, s / 3600);
  two_digits(out_ + 3, s % 3600 / 60);
  two_digits(out_ + 6, s % 60);
  out_[2] = out_[5] = ':';
  out_[8] = '.';
  for (int i = 17; i > 8; i--, nanos /= 10) out_[i] = static_cast<char>('0' + nanos % 10);
  out_[18] = 'Z';
  out_ += 19;
}

void LineWriter::split(const PartRow& r) {
  const char *p = text_ + r.flow.at, *end = p + r.flow.length;
  for (Field& f : told_) {
    const auto* tab = static_cast<const char*>(memchr(p, '\t', static_cast<size_t>(end - p)));
    f = {p, static_cast<size_t>((tab ? tab : end) - p)};
    p = tab ? tab + 1 : end;
  }
}

double LineWriter::column(uint32_t c) const {
  double v;
  memcpy(&v, columns_ + c * sizeof v, sizeof v);
  return v;
}
// A column of side 0, for the originator (role 0) or the responder as the flow has them now.
double LineWriter::own(uint32_t first, int role) const { return column(first + (reversed_ == (role == 0) ? kPerSide : 0)); }

void LineWriter::pair(const char* name, double source, double destination) {
  put(",\"");
  put(name, strlen(name));
  put("\":{\"source\":");
  number(source);
  put(",\"destination\":");
  number(destination);
  put("}");
}

void LineWriter::flow_members(const PartRow& r) {
  if (r.flags & kFinal)
    put(",\"final\":true");
  else
    put(",\"final\":false");
  const auto reason = static_cast<uint32_t>(column(at(Column::endReason)));
  if (reason < static_cast<uint32_t>(EndReason::none)) {
    put(",\"end_reason\":\"");
    put(kEndReasons[reason], strlen(kEndReasons[reason]));
    put("\"");
  }
  if ((r.packed & 0xff) == kTcp && r.history.length) pair("missed_bytes", own(at(Column::missed0), 0), own(at(Column::missed0), 1));
  pair("payload_bytes", own(at(Column::payload0), 0), own(at(Column::payload0), 1));
}

void LineWriter::side(const PartRow& r, int native) {
  put("\"ip\":\"");
  put(told_[kAddress0 + native].at, told_[kAddress0 + native].length);
  put("\"");
  if (r.packed & kHasPorts) {
    put(",\"port\":");
    number(static_cast<uint64_t>(native ? r.ports & 0xffff : r.ports >> 16));
  }
  const Field& mac = told_[kMac0 + native];
  if (mac.length) {
    put(",\"mac\":\"");
    put(mac.at, mac.length);
    put("\"");
  }
  if (r.flags & kWhole) {
    put(",\"packets\":");
    number(column(at(Column::packets0) + (native ? kPerSide : 0)));
    put(",\"bytes\":");
    number(column(at(Column::bytes0) + (native ? kPerSide : 0)));
  }
}

void LineWriter::tcp(const PartRow& r) {
  auto state = [&](int role) { return static_cast<Endpoint>(own(at(Column::state0), role)); };
  put(",\"tcp\":{\"state\":\"");
  const char* name = conn_state(state(0), state(1));
  put(name, strlen(name));
  put("\",\"history\":\"");
  for (uint32_t i = 0; i < r.history.length; i++) {
    char c = text_[r.history.at + i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    *out_++ = static_cast<char>(reversed_ && letter ? c ^ 0x20 : c);
  }
  put("\"");
  // A group of what is known of the two sides; nothing where nothing is.
  auto sides = [&](const char* group, auto known, auto value) {
    if (!known(0) && !known(1)) return;
    put(",\"");
    put(group, strlen(group));
    put("\":{");
    for (int role = 0; role < 2; role++) {
      if (!known(role)) continue;
      if (role && known(0)) put(",");
      if (role)
        put("\"destination\":");
      else
        put("\"source\":");
      value(role);
    }
    put("}");
  };
  sides(
      "flags", [&](int role) { return own(at(Column::flags0), role) > 0; },
      [&](int role) {
        auto bits = static_cast<uint32_t>(own(at(Column::flags0), role));
        char before = '[';
        for (int i = 0; i < 8; i++) {
          if (!(bits >> i & 1)) continue;
          *out_++ = before;
          *out_++ = '"';
          put(kFlags[i], 3);
          *out_++ = '"';
          before = ',';
        }
        put("]");
      });
  if (column(at(Column::rtt)) >= 0) {
    put(",\"rtt\":");
    number(column(at(Column::rtt)));
  }
  put(",\"retransmits\":");
  number(own(at(Column::retransmits0), 0) + own(at(Column::retransmits0), 1));
  put(",\"out_of_order\":");
  number(own(at(Column::outOfOrder0), 0) + own(at(Column::outOfOrder0), 1));
  put(",\"overlap_conflicts\":");
  number(column(at(Column::conflicts)));
  sides(
      "window_scale", [&](int role) { return own(at(Column::scale0), role) >= 0; }, [&](int role) { number(own(at(Column::scale0), role)); });
  sides(
      "mss", [&](int role) { return own(at(Column::mss0), role) > 0; }, [&](int role) { number(own(at(Column::mss0), role)); });
  put("}");
}

size_t LineWriter::write(const PartRow& r, const char* text, char* out) {
  text_ = text;
  out_ = out;
  const bool of_flow = r.flags & kOfFlow, whole = of_flow && (r.flags & kWhole);
  reversed_ = r.flags & kReversed;
  columns_ = text + r.columns.at;
  if (of_flow) split(r);
  double start = r.start_seconds, end = r.end_seconds;
  uint32_t start_nanos = r.start_nanos, end_nanos = r.end_nanos;
  if (end < start || (end == start && end_nanos < start_nanos)) {  // an answer's packet can carry an earlier time than its question's
    std::swap(start, end);
    std::swap(start_nanos, end_nanos);
  }

  put("{\"@timestamp\":\"");
  timestamp(r.seconds, r.nanos);
  put("\",\"event\":{\"id\":\"");
  hex(r.id, out_);
  out_ += 32;
  put(dataset_.data(), dataset_.size());
  put(r.types);
  if (const char* outcome = kOutcomes[r.flags >> kOutcomeShift & 3]; *outcome) {
    put(",\"outcome\":\"");
    put(outcome, strlen(outcome));
    put("\"");
  }
  put(",\"start\":\"");
  timestamp(start, start_nanos);
  put("\",\"end\":\"");
  timestamp(end, end_nanos);
  put("\",\"duration\":");
  number(static_cast<uint64_t>(end - start) * 1000000000 + end_nanos - start_nanos);
  if (of_flow) {
    put("},\"flow\":{\"id\":\"");
    hex(r.flow_id, out_);
    out_ += 32;
    put("\"");
    if (whole) flow_members(r);
  }
  put("},\"threatflow\":{\"capture\":{\"id\":\"");
  put(capture_.data(), capture_.size());
  put("\"}");
  if (r.packet > 0) {
    put(",\"packet\":");
    number(r.packet);
  }
  if (of_flow && told_[kTunnels].length) {
    put(",\"tunnel\":[\"");
    for (size_t i = 0; i < told_[kTunnels].length; i++) {
      if (told_[kTunnels].at[i] == ',')
        put("\",\"");
      else
        *out_++ = told_[kTunnels].at[i];
    }
    put("\"]");
  }
  if (r.protocols.length) {
    put(",\"protocols\":");
    put(r.protocols);
  }
  if (r.anomalies.length) {
    put(",\"anomalies\":");
    put(r.anomalies);
  }
  put("},\"ecs\":{\"version\":\"");
  put(kEcsVersion);
  put("\"}");
  if (r.observer.length) {
    put(",\"observer\":");
    put(r.observer);
  }
  if (of_flow || r.ips.length || r.names.length) {
    put(",\"related\":{");
    if (r.ips.length) {
      put("\"ip\":");
      put(r.ips);
    } else if (of_flow) {
      const Field *a = &told_[kAddress0], *b = &told_[kAddress1];
      const int order = std::string_view(a->at, a->length).compare(std::string_view(b->at, b->length));
      if (order > 0) std::swap(a, b);
      put("\"ip\":[\"");
      put(a->at, a->length);
      if (order != 0) {
        put("\",\"");
        put(b->at, b->length);
      }
      put("\"]");
    }
    if (r.names.length) {
      if (of_flow || r.ips.length) put(",");
      put(r.names);
    }
    put("}");
  }
  if (of_flow) {
    put(",\"source\":{");
    side(r, reversed_ ? 1 : 0);
    put("},\"destination\":{");
    side(r, reversed_ ? 0 : 1);
    put("},\"network\":{\"transport\":\"");
    put(r.transport);
    put("\"");
    if (r.protocol.length) {
      put(",\"protocol\":\"");
      put(r.protocol);
      put("\"");
    }
    if ((r.packed >> 8 & 0xff) == 6)
      put(",\"type\":\"ipv6\",\"iana_number\":\"");
    else
      put(",\"type\":\"ipv4\",\"iana_number\":\"");
    number(static_cast<uint64_t>(r.packed & 0xff));
    put("\"");
    if (told_[kCommunity].length) {
      put(",\"community_id\":\"");
      put(told_[kCommunity].at, told_[kCommunity].length);
      put("\"");
    }
    if (told_[kVlan].length) {
      put(",\"vlan\":{\"id\":\"");
      put(told_[kVlan].at, told_[kVlan].length);
      put("\"}");
    }
    if (told_[kInnerVlan].length) {
      put(",\"inner\":{\"vlan\":{\"id\":\"");
      put(told_[kInnerVlan].at, told_[kInnerVlan].length);
      put("\"}}");
    }
    if (whole) {
      put(",\"packets\":");
      number(column(at(Column::packets0)) + column(at(Column::packets1)));
      put(",\"bytes\":");
      number(column(at(Column::bytes0)) + column(at(Column::bytes1)));
    }
    put("}");
  } else {
    put(r.ends);
  }
  if (whole) {
    const uint32_t protocol = r.packed & 0xff;
    if (protocol == kIcmp || protocol == kIcmp6) {
      put(",\"icmp\":{\"type\":");
      number(column(at(Column::icmpType)));
      put(",\"code\":");
      number(column(at(Column::icmpCode)));
      put("}");
    } else if (protocol == kTcp && r.history.length) {
      tcp(r);
    }
  } else if (r.body.length > 2) {
    put(",");
    put(text_ + r.body.at + 1, r.body.length - 2);  // without its braces
  }
  put("}\n");
  return static_cast<size_t>(out_ - out);
}

}  // namespace tf
