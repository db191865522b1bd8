// IP, its options and what is carried in it.
#include <cstdio>
#include <string>

#include "../wire/bytes.h"
#include "../wire/dissect.h"
#include "check.h"

namespace tf {

// What stands between the frame and the inner packet: where that begins, and what was entered on the way.
struct TunnelCase {
  const char* what;
  std::string frame;
  const char* tunnels;
  int version;
};
static std::vector<TunnelCase> cases() {
  auto ip4 = [&](const char* protocol, const std::string& payload) {  // 192.0.2.1 → 192.0.2.2
    char length[5];
    snprintf(length, sizeof length, "%04x", static_cast<unsigned>(20 + payload.size() / 2));
    std::string head = std::string("4500") + length + "00000000" + "40" + protocol + "0000c0000201c0000202";
    uint32_t sum = 0;
    for (size_t i = 0; i < head.size(); i += 4) sum += static_cast<uint32_t>(std::stoi(head.substr(i, 4), nullptr, 16));
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    snprintf(length, sizeof length, "%04x", ~sum & 0xffff);
    return head.replace(20, 4, length) + payload;
  };
  auto ip6 = [&](const char* next, const std::string& payload) {
    char length[5];
    snprintf(length, sizeof length, "%04x", static_cast<unsigned>(payload.size() / 2));
    return std::string("60000000") + length + next + "40" + "20010db8000000000000000000000001" + "20010db8000000000000000000000002" + payload;
  };
  auto udp = [](const char* port, const std::string& payload) {
    char length[5];
    snprintf(length, sizeof length, "%04x", static_cast<unsigned>(8 + payload.size() / 2));
    return std::string("c000") + port + length + "0000" + payload;
  };
  const std::string eth = "020000000002020000000001", inner = ip4("11", "1111222200080000"), inner6 = ip6("11", "1111222200080000");
  return {
      {"plain", eth + "0800" + inner, "", 4},
      {"a VLAN", eth + "81000064" + "0800" + inner, "", 4},
      {"QinQ", eth + "88a80064" + "81000065" + "0800" + inner, "", 4},
      {"MPLS, two labels", eth + "8847" + "00010040" + "00011140" + inner, "mpls", 4},
      {"MPLS with IPv6", eth + "8847" + "00011140" + inner6, "mpls", 6},
      {"MPLS with a control word and Ethernet", eth + "8847" + "00011140" + "00000000" + eth + "0800" + inner, "mpls", 4},
      {"MPLS with Ethernet", eth + "8847" + "00011140" + "ff0000000002020000000001" + "0800" + inner, "mpls", 4},
      {"PPPoE", eth + "8864" + "11000001" + "001e" + "0021" + inner, "pppoe", 4},
      {"4 in 4", eth + "0800" + ip4("04", inner), "4in4", 4},
      {"6 in 4", eth + "0800" + ip4("29", inner6), "6in4", 6},
      {"6to4", eth + "0800" + ip4("29", std::string("60000000" "0008" "1140" "2002c00002010000" "0000000000000001" "2002c00002020000" "0000000000000001") + "1111222200080000"), "6to4", 6},
      {"6to4, only its other end", eth + "0800" + ip4("29", std::string("60000000" "0008" "1140" "20010db800000000" "0000000000000001" "2002c00002020000" "0000000000000001") + "1111222200080000"), "6to4", 6},
      {"ISATAP", eth + "0800" + ip4("29", std::string("60000000" "0008" "1140" "20010db800000000" "00005efec0000201" "20010db800000000" "0000000000000001") + "1111222200080000"), "isatap", 6},
      {"ISATAP, its other end", eth + "0800" + ip4("29", std::string("60000000" "0008" "1140" "20010db800000000" "0000000000000001" "20010db800000000" "02005efec0000202") + "1111222200080000"), "isatap", 6},
      {"EtherIP", eth + "0800" + ip4("61", "3000" + eth + "0800" + inner), "etherip", 4},
      {"MPLS in IP", eth + "0800" + ip4("89", "00011140" + inner), "mpls", 4},
      {"GRE with PPP", eth + "0800" + ip4("2f", "2001880b" + std::string("00220000") + "0021" + inner), "gre", 4},
      {"ERSPAN III", eth + "0800" + ip4("2f", "100022eb" + std::string("00000001") + "2001000100000001" "00000000" + eth + "0800" + inner), "erspan", 4},
      {"ERSPAN III with a platform's header", eth + "0800" + ip4("2f", "100022eb" + std::string("00000001") + "2001000100000001" "00000001" "0000000000000000" + eth + "0800" + inner), "erspan", 4},
      {"GTP-U with extension headers", eth + "0800" + ip4("11", udp("0868", "34ff002800000001" + std::string("00000085") + "01000085" "01000000" + inner)), "gtp", 4},
      {"4 in 6", eth + "86dd" + ip6("04", inner), "4in6", 4},
      {"6 in 6", eth + "86dd" + ip6("29", inner6), "6in6", 6},
      {"GRE", eth + "0800" + ip4("2f", "00000800" + inner), "gre", 4},
      {"GRE with checksum, key and number", eth + "0800" + ip4("2f", "b0000800" + std::string("00000000") + "00000007" + "00000001" + inner), "gre", 4},
      {"GRE with routing", eth + "0800" + ip4("2f", "40000800" + std::string("00000000") + "00020004" + "c0000201" + "00000000" + inner), "gre", 4},
      {"GRE with Ethernet", eth + "0800" + ip4("2f", "00006558" + eth + "0800" + inner), "gre", 4},
      {"ERSPAN II", eth + "0800" + ip4("2f", "100088be" + std::string("00000001") + "1001000100000001" + eth + "0800" + inner), "erspan", 4},
      {"VXLAN", eth + "0800" + ip4("11", udp("12b5", "0800000000000700" + eth + "0800" + inner)), "vxlan", 4},
      {"VXLAN with what is reserved set", eth + "0800" + ip4("11", udp("12b5", "ff01d1f2000007ff" + eth + "0800" + inner)), "vxlan", 4},
      {"GRE with WCCP 1", eth + "0800" + ip4("2f", "0000883e" + inner), "gre", 4},
      {"GRE with WCCP 2", eth + "0800" + ip4("2f", "0000883e" + std::string("05590048") + inner), "gre", 4},
      {"Geneve with an option", eth + "0800" + ip4("11", udp("17c1", "0200655800000700" + std::string("0101000100000000") + eth + "0800" + inner)), "geneve", 4},
      {"GTP-U", eth + "0800" + ip4("11", udp("0868", "30ff001c00000001" + inner)), "gtp", 4},
      {"GTP-U with a number", eth + "0800" + ip4("11", udp("0868", "32ff002000000001" + std::string("00010000") + inner)), "gtp", 4},
      {"L2TP", eth + "0800" + ip4("11", udp("06a5", "000200010001" + std::string("0021") + inner)), "l2tp", 4},
      {"L2TP with length, numbers and an offset", eth + "0800" + ip4("11", udp("06a5", "4a02" + std::string("0030") + "00010001" + "00010001" + "0002" + "ffff" + "0021" + inner)), "l2tp", 4},
      {"Teredo", eth + "0800" + ip4("11", udp("0dd8", inner6)), "teredo", 6},
      {"Teredo with an origin", eth + "0800" + ip4("11", udp("0dd8", "0000ffffffffffff" + inner6)), "teredo", 6},
      {"Teredo with authentication", eth + "0800" + ip4("11", udp("0dd8", "0001" "0203" "aabb" "ccddee" "0102030405060708" "00" + inner6)), "teredo", 6},
      {"Teredo with authentication and an origin", eth + "0800" + ip4("11", udp("0dd8", "0001" "0000" "0102030405060708" "00" "0000ffffffffffff" + inner6)), "teredo", 6},
      {"L2TP with an offset and no length", eth + "0800" + ip4("11", udp("06a5", "020200010001" "0001" "ff" + std::string("0021") + inner)), "l2tp", 4},
      {"L2TP with numbers", eth + "0800" + ip4("11", udp("06a5", "080200010001" "00010001" + std::string("0021") + inner)), "l2tp", 4},
      {"extension headers", eth + "86dd" + ip6("00", "3c000104000000002b00010400000000" + std::string("1100040000000000") + "1111222200080000"), "", 6},
  };
}
std::vector<Sample> network_samples() {
  std::vector<Sample> all;
  for (const TunnelCase& c : cases()) all.push_back({c.what, 1, bytes(c.frame)});
  return all;
}

static void tunnels() {
  for (const TunnelCase& c : cases()) {
    std::vector<uint8_t> b = bytes(c.frame);
    auto n = static_cast<uint32_t>(b.size());
    Packet p;
    dissect(1, b.data(), n, n, p);
    std::string names;
    for (int i = 0; i < p.tunnels; i++) names += (i ? "," : "") + std::string(tunnel_name(p.tunnel[i]));
    bool whole = p.carries == Carries::ip && names == c.tunnels && p.version == c.version && p.protocol == 17 && p.payload_len == 8 &&
                 p.payload_cap == 8 && p.payload && be32(p.payload) == 0x11112222 && p.oddities.count == 0;
    if (!whole) printf("%s: %s, version %d, protocol %d, %u bytes, %d oddities\n", c.what, names.c_str(), p.version, p.protocol, p.payload_len, p.oddities.count);
    check(whole, c.what);
    // One byte fewer of the inner packet was captured: the same, cut.
    Packet cut;
    dissect(1, b.data(), n - 1, n, cut);
    check(cut.carries == Carries::ip && cut.payload_cap == 7 && cut.payload_len == 8, "the same, cut by the snapshot length");
  }
}

// Options of IPv4: they end where the header ends, and one that goes beyond is said with what it wanted and what there was.
static void options() {
  auto with = [](const std::string& options) {
    std::vector<uint8_t> b = bytes("4" + std::string(1, "0123456789abcdef"[5 + options.size() / 8]) + "00" + "0000" "00000000" "4011" "0000" "c0000201" "c0000202" + options + "1111222200080000");
    put_be16(&b[2], static_cast<uint16_t>(b.size()));
    put_be16(&b[10], static_cast<uint16_t>(~checksum_fold(checksum_add(b.data(), static_cast<uint32_t>(b.size() - 8), 0))));
    Packet p;
    dissect(101, b.data(), static_cast<uint32_t>(b.size()), static_cast<uint32_t>(b.size()), p);
    return p;
  };
  for (const char* fine : {"01010101", "00000000", "0101" "4402", "94040000", "0107" "0344"}) {
    Packet p = with(fine);
    check(p.carries == Carries::ip && p.payload_len == 8 && p.oddities.count == 0, "options that fit");
  }
  Packet longer = with("01010709");
  check(longer.oddities.count == 1 && longer.oddities.at[0].name == Anomaly::ipv4_options_invalid && longer.oddities.at[0].offset == 22 &&
            longer.oddities.at[0].needed == 9 && longer.oddities.at[0].had == 2,
        "an option longer than the header: nine bytes wanted, two there");
  Packet alone = with("01010144");
  check(alone.oddities.count == 1 && alone.oddities.at[0].offset == 23 && alone.oddities.at[0].needed == 2 && alone.oddities.at[0].had == 1, "an option without its length");
  Packet short_option = with("44010101");
  check(short_option.oddities.count == 1 && short_option.oddities.at[0].offset == 20, "an option shorter than its own two bytes");
  Packet route = with("01830304");
  check(route.oddities.count == 1 && route.oddities.at[0].name == Anomaly::ipv4_source_route && route.oddities.at[0].offset == 21, "a source route, and where");
}

// A header that is whole, with nothing behind it, is not a cut one.
static void header_alone() {
  auto packet = [](const char* protocol, const std::string& payload) {
    std::vector<uint8_t> b = bytes(std::string("4500") + "0000" "00000000" "40" + protocol + "0000" "c0000201" "c0000202" + payload);
    put_be16(&b[2], static_cast<uint16_t>(b.size()));
    put_be16(&b[10], static_cast<uint16_t>(~checksum_fold(checksum_add(b.data(), 20, 0))));
    Packet p;
    dissect(101, b.data(), static_cast<uint32_t>(b.size()), static_cast<uint32_t>(b.size()), p);
    return p;
  };
  auto first = [&](const std::string& gre) {
    Packet p = packet("2f", gre);
    return p.oddities.count ? p.oddities.at[0] : Oddity{Anomaly::ip_fragment_overlap, 0, 0, 0};
  };
  check(first("00000800").name != Anomaly::gre_header_truncated, "GRE alone is whole");
  check(first("000008").name == Anomaly::gre_header_truncated && first("000008").needed == 4, "GRE cut short");
  check(first("20000800" "000000").name == Anomaly::gre_header_truncated && first("20000800" "000000").needed == 8, "GRE with a key, cut short");
  check(first("b0000800" "00000000" "00000000" "00000000").name != Anomaly::gre_header_truncated, "also with all its fields");
  check(packet("33", "06010000" "00000001" "00000001").protocol == 6, "an authentication header alone tells what follows it");
  check(packet("33", "06010000" "00000001" "000000").protocol == 51, "one that is cut does not");
}

void networks() {
  options();
  header_alone();
  tunnels();
}

}  // namespace tf
