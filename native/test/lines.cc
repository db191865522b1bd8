// Lines of records: the words that all have, a flow's own, and that none is longer than was said.
#include "../engine/line.h"

#include "check.h"

namespace tf {
namespace {

// A row whose pieces are written one after the other.
struct Written {
  PartRow row{};
  std::string text;
  void put(Span PartRow::*piece, const std::string& s) {
    row.*piece = {static_cast<uint32_t>(text.size()), static_cast<uint32_t>(s.size())};
    text += s;
  }
  void columns(const std::vector<std::pair<Column, double>>& values) {
    std::vector<double> all(kColumns, 0.0);
    for (auto [c, v] : values) all[static_cast<uint32_t>(c)] = v;
    put(&PartRow::columns, std::string(reinterpret_cast<const char*>(all.data()), all.size() * sizeof(double)));
  }
  std::string line(const std::string& dataset) {
    if (!part_fits(&row, 1, text.size())) return "does not fit";
    const std::string capture(64, 'c');
    stamp_part(&row, 1, text.data(), capture, dataset);
    std::string out(part_bound(&row, 1), '\0');
    PartKey key;
    Sealed s = seal_part(&row, 1, text.data(), capture, dataset, out.data(), &key);
    check(s.bytes <= out.size() && s.bytes == s.longest && key.length == s.bytes, "a line is no longer than was said, and as long as its key says");
    out.resize(s.bytes);
    return out;
  }
};
const std::string kSeed(32, 'a');
bool has(const std::string& line, const std::string& part) { return line.find(part) != std::string::npos; }

void loose() {
  Written w;
  w.row.seconds = w.row.start_seconds = 1700000000, w.row.nanos = w.row.start_nanos = 5;
  w.row.end_seconds = 1699999999, w.row.end_nanos = 999999999;
  w.put(&PartRow::types, "[\"info\"]");
  w.put(&PartRow::body, "{}");
  const std::string line = w.line("arp");
  check(has(line, "{\"@timestamp\":\"2023-11-14T22:13:20.000000005Z\",\"event\":{\"id\":\""), "a line begins with its time");
  check(has(line, "\",\"dataset\":\"arp\",\"kind\":\"event\",\"category\":[\"network\"],\"type\":[\"info\"],\"start\":\"2023-11-14T22:13:19.999999999Z\""
                  ",\"end\":\"2023-11-14T22:13:20.000000005Z\",\"duration\":6},\"threatflow\":{\"capture\":{\"id\":\"cccc"),
        "the earlier time is the start");
  check(has(line, "c\"}},\"ecs\":{\"version\":\"9.4.0\"}}\n"), "a record that knows nothing else ends there");
  for (auto [seconds, date] : {std::pair{-1.0, "1969-12-31T23:59:59"}, {0.0, "1970-01-01T00:00:00"}, {951782400.0, "2000-02-29T00:00:00"},
                               {4107542399.0, "2100-02-28T23:59:59"}, {4107542400.0, "2100-03-01T00:00:00"}, {9223372036.0, "2262-04-11T23:47:16"},
                               {-9223372036.0, "1677-09-21T00:12:44"}}) {
    w.row.seconds = seconds;
    check(has(w.line("arp"), std::string("{\"@timestamp\":\"") + date + "."), "days before 1970, leap days and centuries");
  }
}

void of_flow() {
  Written w;
  w.row.flags = kOfFlow | kReversed | 1 << kOutcomeShift;
  w.row.packed = 6 | 4 << 8 | 0x10000, w.row.ports = 443u << 16 | 50000;
  w.row.packet = 7;
  w.put(&PartRow::types, "[\"protocol\"]");
  w.put(&PartRow::flow, "10.0.0.9\t10.0.0.10\t1:abc=\t\t02-00-00-00-00-01\t5\t6\tgre,vxlan\t" + kSeed);
  w.put(&PartRow::transport, "tcp");
  w.put(&PartRow::protocol, "tls");
  w.put(&PartRow::names, "\"hosts\":[\"x\"]");
  w.put(&PartRow::body, "{\"tls\":{\"version\":\"1.3\"}}");
  const std::string line = w.line("tls");
  check(has(line, "\"outcome\":\"success\",") && has(line, "},\"flow\":{\"id\":\"") && has(line, "\"},\"packet\":7,\"tunnel\":[\"gre\",\"vxlan\"]},\"ecs\""),
        "outcome, flow, packet and tunnels");
  check(has(line, ",\"related\":{\"ip\":[\"10.0.0.10\",\"10.0.0.9\"],\"hosts\":[\"x\"]}"
                  ",\"source\":{\"ip\":\"10.0.0.10\",\"port\":50000,\"mac\":\"02-00-00-00-00-01\"},\"destination\":{\"ip\":\"10.0.0.9\",\"port\":443}"
                  ",\"network\":{\"transport\":\"tcp\",\"protocol\":\"tls\",\"type\":\"ipv4\",\"iana_number\":\"6\",\"community_id\":\"1:abc=\""
                  ",\"vlan\":{\"id\":\"5\"},\"inner\":{\"vlan\":{\"id\":\"6\"}}},\"tls\":{\"version\":\"1.3\"}}\n"),
        "who and whom, turned round, and the members of the decoder");
}

void whole() {
  Written w;
  w.row.flags = kOfFlow | kWhole | kFinal | kReversed;
  w.row.packed = 6 | 6 << 8 | 0x10000, w.row.ports = 0xffffffff;
  w.put(&PartRow::types, "[\"connection\",\"end\"]");
  w.put(&PartRow::flow, "fe80::1\tfe80::1\t\t\t\t\t\t\t" + kSeed);
  w.put(&PartRow::transport, "tcp");
  w.put(&PartRow::history, "ShAd^9");
  using C = Column;
  w.columns({{C::endReason, 1}, {C::packets0, 1}, {C::packets1, 2}, {C::bytes0, 30}, {C::bytes1, 40}, {C::payload0, 5}, {C::missed1, 6}, {C::rtt, -1},
             {C::state0, 6}, {C::state1, 4}, {C::flags1, 0x12}, {C::retransmits0, 1}, {C::retransmits1, 2}, {C::scale0, -1}, {C::scale1, 7}, {C::mss0, 1460}});
  std::string line = w.line("flow");
  check(has(line, ",\"final\":true,\"end_reason\":\"rst\",\"missed_bytes\":{\"source\":6,\"destination\":0},\"payload_bytes\":{\"source\":0,\"destination\":5}}"),
        "a flow's end and what it missed, side by side");
  check(has(line, "\"related\":{\"ip\":[\"fe80::1\"]}") && has(line, "\"port\":65535,\"packets\":2,\"bytes\":40},\"destination\""), "counts of a side stand with its end");
  check(has(line, ",\"type\":\"ipv6\",\"iana_number\":\"6\",\"packets\":3,\"bytes\":70},\"tcp\":{\"state\":\"RSTR\",\"history\":\"sHaD^9\",\"flags\":{\"source\":[\"SYN\",\"ACK\"]}"
                  ",\"retransmits\":3,\"out_of_order\":0,\"overlap_conflicts\":0,\"window_scale\":{\"source\":7},\"mss\":{\"destination\":1460}}}\n"),
        "what TCP did, with its history turned round");
  // The most that can stand in a line.
  std::vector<std::pair<Column, double>> most;
  for (uint32_t c = 0; c < kColumns; c++) most.emplace_back(static_cast<Column>(c), 9007199254740991.0);
  most.emplace_back(C::state0, 4), most.emplace_back(C::state1, 4), most.emplace_back(C::endReason, 3);
  most.emplace_back(C::flags0, 255), most.emplace_back(C::flags1, 255);
  w.columns(most);
  w.row.packet = 9007199254740991.0;
  w.row.end_seconds = 9223372036;
  w.row.flags |= 3 << kOutcomeShift;
  w.put(&PartRow::flow, "fe80::1\tfe80::2\t1:abc=\t02-00-00-00-00-01\t02-00-00-00-00-01\t4095\t4095\t,,,,,,,,,\t" + kSeed);
  w.row.packed = 6 | 6 << 8 | 0x10000;
  line = w.line("flow");
  check(line.size() < part_bound(&w.row, 1) - 500, "the longest names and numbers leave room");
  w.row.columns.length--;
  check(!part_fits(&w.row, 1, w.text.size()), "columns that are cut do not fit");
  w.row.columns.length++;
  w.row.history.at = 0xfffffff0;
  check(!part_fits(&w.row, 1, w.text.size()), "text past its end does not fit");
}

}  // namespace

void lines() {
  loose();
  of_flow();
  whole();
}

}  // namespace tf
