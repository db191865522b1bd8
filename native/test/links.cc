// What frames carry, by link type.
#include <cstdio>
#include <string>

#include "../wire/bytes.h"
#include "../wire/dissect.h"
#include "check.h"

namespace tf {

static const char* const kIp = "45000014000000004001f6e5c0000201c0000202";  // 192.0.2.1 → 192.0.2.2
static const char* const kSnap = "aaaa03000000" "0800";

static Packet dissected(uint32_t linktype, const std::vector<uint8_t>& frame) {
  Packet p;
  auto n = static_cast<uint32_t>(frame.size());
  dissect(linktype, frame.data(), n, n, p);
  return p;
}
static bool is_ip(const Packet& p) { return p.carries == Carries::ip && address_text(p.source) == "192.0.2.1" && address_text(p.destination) == "192.0.2.2"; }
static std::string mac(const uint8_t* m) {
  char out[13];
  snprintf(out, sizeof out, "%02x%02x%02x%02x%02x%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
  return out;
}
static const Oddity* oddity(const Packet& p, Anomaly name) {
  for (int i = 0; i < p.oddities.count; i++)
    if (p.oddities.at[i].name == name) return &p.oddities.at[i];
  return nullptr;
}

// `header`: all bytes without which nothing of the network layer can be told.
struct LinkCase {
  const char* what;
  uint32_t linktype;
  std::string header;
  const char *source, *destination;  // MAC addresses, where the link has them
};
static const std::string kRadiotap = "00000c00" "00000000" "00000000", k1 = "0a0000000001", k2 = "0a0000000002", k3 = "0a0000000003", k4 = "0a0000000004";

static std::vector<LinkCase> cases() {
  return {
      {"Ethernet", 1, k2 + k1 + "0800", k1.c_str(), k2.c_str()},
      {"802.3 with LLC and SNAP", 1, k2 + k1 + "001c" + kSnap, k1.c_str(), k2.c_str()},
      {"LLC with IP's own SAP", 1, k2 + k1 + "0017" + "060603", k1.c_str(), k2.c_str()},
      {"a VLAN with LLC inside", 1, k2 + k1 + "81000005" + "001c" + kSnap, k1.c_str(), k2.c_str()},
      {"bridged Ethernet in SNAP", 100, std::string("aaaa030080c20007") + "0000" + k2 + k1 + "0800", k1.c_str(), k2.c_str()},
      {"routed IP by NLPID", 100, "fefe03cc", "", ""},
      {"VN-Tag", 1, k2 + k1 + "8926" + "00010000" + "0800", k1.c_str(), k2.c_str()},
      {"MACsec, in clear", 1, k2 + k1 + "88e5" + "0000" "00000001" + "0800", k1.c_str(), k2.c_str()},
      {"MACsec, in clear, with a channel", 1, k2 + k1 + "88e5" + "2000" "00000001" "0200000000010001" + "0800", k1.c_str(), k2.c_str()},
      {"BSD loopback, little-endian", 0, "02000000", "", ""},
      {"BSD loopback, big-endian", 0, "00000002", "", ""},
      {"OpenBSD loopback", 108, "00000002", "", ""},
      {"PPP with address and control", 9, "ff030021", "", ""},
      {"PPP with both compressed away", 9, "21", "", ""},
      {"PPP on a serial line", 50, "ff030021", "", ""},
      {"Cisco HDLC, unicast, on a line captured as PPP", 9, "0f000800", "", ""},
      {"Cisco HDLC, broadcast, on a line captured as PPP", 50, "8f000800", "", ""},
      {"Cisco HDLC by its own link type", 104, "0f000800", "", ""},
      {"PPP with a direction", 204, "01ff030021", "", ""},
      {"PPPD with two bytes of direction", 166, "0100ff030021", "", ""},
      {"Frame Relay, two bytes of address", 107, "184103cc", "", ""},
      {"Frame Relay, three bytes of address", 107, "18400103cc", "", ""},
      {"Frame Relay, four bytes of address", 107, "1840020103cc", "", ""},
      {"Frame Relay with a pad", 107, "18410300cc", "", ""},
      {"Frame Relay as Cisco does it", 107, "18410800", "", ""},
      {"Frame Relay with SNAP", 107, "18410380" "0000000800", "", ""},
      {"Linux cooked", 113, "000000010006" + k1 + "0000" + "0800", k1.c_str(), "000000000000"},
      {"Linux cooked with LLC", 113, "000000010006" + k1 + "0000" + "0004" + kSnap, k1.c_str(), "000000000000"},
      {"Linux cooked 2", 276, "08000000" "00000003" "00010006" + k1 + "0000", k1.c_str(), "000000000000"},
      {"802.11 between stations", 105, "08000000" + k2 + k1 + k3 + "0000" + kSnap, k1.c_str(), k2.c_str()},
      {"802.11 to the distribution system", 105, "08010000" + k3 + k1 + k2 + "0000" + kSnap, k1.c_str(), k2.c_str()},
      {"802.11 from the distribution system", 105, "08020000" + k2 + k3 + k1 + "0000" + kSnap, k1.c_str(), k2.c_str()},
      {"802.11 from one distribution system to another", 105, "08030000" + k3 + k4 + k2 + "0000" + k1 + kSnap, k1.c_str(), k2.c_str()},
      {"802.11 with QoS", 105, "88010000" + k3 + k1 + k2 + "0000" + "0000" + kSnap, k1.c_str(), k2.c_str()},
      {"802.11 with QoS and HT control", 105, "88810000" + k3 + k1 + k2 + "0000" + "0000" + "00000000" + kSnap, k1.c_str(), k2.c_str()},
      {"802.11 with two bytes of padding", 105, "88010000" + k3 + k1 + k2 + "0000" + "0000" + "0000" + kSnap, k1.c_str(), k2.c_str()},
      {"802.11, the first of an aggregate", 105, "88010000" + k3 + k4 + k3 + "0000" + "8000" + k2 + k1 + "001c" + kSnap, k1.c_str(), k2.c_str()},
      {"radiotap", 127, kRadiotap + "08000000" + k2 + k1 + k3 + "0000" + kSnap, k1.c_str(), k2.c_str()},
      {"radiotap with a second word of fields", 127, std::string("00000c00") + "00000080" + "00000000" + "08000000" + k2 + k1 + k3 + "0000" + kSnap, k1.c_str(), k2.c_str()},
      {"PPI with 802.11", 192, std::string("00000800") + "69000000" + "08010000" + k3 + k1 + k2 + "0000" + kSnap, k1.c_str(), k2.c_str()},
      {"PPI with Ethernet", 192, std::string("00000800") + "01000000" + k2 + k1 + "0800", k1.c_str(), k2.c_str()},
      {"Prism", 119, std::string("44000000") + "0c000000" + "00000000" + "08010000" + k3 + k1 + k2 + "0000" + kSnap, k1.c_str(), k2.c_str()},
      {"AVS under Prism's number", 119, std::string("80211001") + "0000000c" + "00000000" + "08010000" + k3 + k1 + k2 + "0000" + kSnap, k1.c_str(), k2.c_str()},
      {"AVS", 163, std::string("80211001") + "0000000c" + "00000000" + "08010000" + k3 + k1 + k2 + "0000" + kSnap, k1.c_str(), k2.c_str()},
      {"PKTAP with Ethernet", 258, std::string("14000000") + "01000000" + "01000000" + "00000000" + "00000000" + k2 + k1 + "0800", k1.c_str(), k2.c_str()},
      {"netfilter log", 239, std::string("02000000") + "08000100" "00000000" + "18000900", "", ""},
      {"Token Ring", 6, "1040" + k2 + k1 + kSnap, "", ""},
      {"FDDI", 10, "50" + k2 + k1 + kSnap, "", ""},
      {"SLIP", 8, std::string(32, '0'), "", ""},
      {"ARCnet, RFC 1051", 7, "0102f0", "", ""},
      {"ARCnet, RFC 1201", 7, "0102d4" "000001", "", ""},
      {"ARCnet, an exception frame", 7, "0102d4" "ff000000" "000001", "", ""},
      {"ARCnet as Linux has it", 129, "01020000f0", "", ""},
      {"OpenBSD ENC", 109, "02000000" "00000000" "00000000", "", ""},
      {"IP over FireWire", 138, std::string(32, '0') + "0800", "", ""},
      {"raw IP", 101, "", "", ""},
  };
}
std::vector<Sample> link_samples() {
  std::vector<Sample> all;
  for (const LinkCase& c : cases()) all.push_back({c.what, c.linktype, bytes(c.header + kIp)});
  return all;
}

static void headers() {
  for (const LinkCase& c : cases()) {
    std::vector<uint8_t> head = bytes(c.header), frame = bytes(c.header + kIp);
    Packet p = dissected(c.linktype, frame);
    bool right = is_ip(p) && p.oddities.count == 0 && p.ip_bytes == 20 && p.has_mac == (*c.source != 0) &&
                 (!p.has_mac || (mac(p.mac_source) == c.source && mac(p.mac_destination) == c.destination));
    if (!right) printf("%s: carries %d, %d oddities, %s → %s\n", c.what, static_cast<int>(p.carries), p.oddities.count, mac(p.mac_source).c_str(), mac(p.mac_destination).c_str());
    check(right, c.what);
    // Cut anywhere before the network layer it carries none, and what is missing is said where a header was cut.
    bool none = true;
    for (size_t n = 0; n < head.size(); n++) {
      Packet part = dissected(c.linktype, {frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(n)});
      none &= part.carries != Carries::ip && !oddity(part, Anomaly::ipv4_header_truncated);
    }
    if (!none) printf("%s, cut\n", c.what);
    check(none, "a frame cut in its link header carries nothing");
    check(head.empty() || oddity(dissected(c.linktype, {frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(head.size() + 1)}), Anomaly::ipv4_header_truncated),
          "one cut behind it is cut in IP's header");
  }
}

// Headers that end exactly where they are long enough, and trailers.
static void edges() {
  Packet relay = dissected(107, bytes("184103cc"));
  check(!oddity(relay, Anomaly::link_header_truncated) && oddity(relay, Anomaly::ipv4_header_truncated), "a Frame Relay header alone is whole");
  Packet fcs = dissected(127, bytes("00000900" "02000000" "10" + ("08000000" + k2 + k1 + k3 + "0000") + kSnap + kIp + "deadbeef"));
  check(is_ip(fcs) && fcs.payload_len == 0 && fcs.oddities.count == 0, "a frame check sequence that radiotap tells of is no payload");
  Packet timed = dissected(127, bytes("00001100" "03000000" "0000000000000000" "10" + ("08000000" + k2 + k1 + k3 + "0000") + kSnap + kIp + "deadbeef"));
  check(is_ip(timed) && timed.payload_len == 0, "also where a time stands before it");
  Packet management = dissected(105, bytes("00080000" + k2 + k1 + k3 + "0000" + kSnap + kIp));
  check(!is_ip(management), "a frame that is no data frame carries no IP");
  const std::string body = "08010000" + k3 + k1 + k2 + "0000" + kSnap + kIp;
  Packet common = dissected(192, bytes("00001600" "69000000" "02000a00" "0000000000000000" "0100" + body + "deadbeef"));
  check(is_ip(common) && common.payload_len == 0, "nor one that PPI tells of");
  // Two bytes of an IP packet are missing: what stands in their place is the check sequence. The PPI field that says so is as long as it must be.
  const std::string cut_ip = std::string(kIp).replace(4, 4, "0016"), said = "08010000" + k3 + k1 + k2 + "0000" + kSnap + cut_ip;
  Packet short_of = dissected(192, bytes("00001600" "69000000" "02000a00" "0000000000000000" "0100" + said + "deadbeef"));
  Packet enough = dissected(192, bytes("00001600" "69000000" "02000a00" "0000000000000000" "0000" + said + "dead"));
  check(oddity(short_of, Anomaly::ipv4_length_past_end) && is_ip(enough) && !oddity(enough, Anomaly::ipv4_length_past_end), "a check sequence is not taken for the packet's end");
  Packet protected_frame = dissected(105, bytes("08400000" + k2 + k1 + k3 + "0000" + kSnap + kIp));
  check(!is_ip(protected_frame) && protected_frame.frame_type == 0x30200, "an encrypted 802.11 frame is not opened");
  Packet vlans = dissected(1, bytes(k2 + k1 + "88a80064" + "8100f065" + "0800" + kIp));
  check(is_ip(vlans) && vlans.vlans == 2 && vlans.vlan[0] == 100 && vlans.vlan[1] == 101, "two VLAN tags, without their priorities");
  Packet padded = dissected(1, bytes(k2 + k1 + "001c" + kSnap + kIp + "0000000000000000"));
  check(is_ip(padded) && padded.payload_len == 0, "an 802.3 length ends the frame before its padding");
  const std::vector<uint8_t> request = bytes(k2 + k1 + "0806" + "0001080006040001" + k1 + "c0000201" + "000000000000" + "c0000202");
  Packet arp = dissected(1, request);
  check(arp.carries == Carries::arp && arp.payload_len == 28 && be16(arp.payload) == 1, "ARP");
  Packet novell = dissected(1, bytes(k2 + k1 + "0020" + "ffff0020"));
  check(!is_ip(novell) && novell.frame_type == 0x8137, "Novell's raw IPX");
  check(dissected(1, bytes(k2 + k1 + "0002" + "ffff")).frame_type == 0x8137, "which its first two bytes tell");
  Packet netlink = dissected(113, bytes("000003380000" "0000000000000000" "0800" + std::string(kIp)));
  check(!is_ip(netlink) && netlink.frame_type == 0x60800, "netlink on a cooked capture is no IP");
}

void links() {
  headers();
  edges();
}

}  // namespace tf
