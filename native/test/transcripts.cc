// Every header cut at every byte and with every byte changed: what is told of it is what stands in transcripts.txt. A header that is read one byte too
// early or too late tells something else somewhere. `native_tests --update` writes that file anew.
#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>

#include "../wire/bytes.h"
#include "../wire/dissect.h"
#include "connection.h"

namespace tf {

bool update_transcripts = false;

static std::string told(const std::vector<uint8_t>& file) { return run_capture(file.data(), file.size(), 1 << 16, 1, Overlap::linux_, true).told; }
static std::string told(const Sample& s, size_t captured, size_t length) {
  std::vector<uint8_t> file = pcap_head(static_cast<uint8_t>(s.linktype));
  file[21] = static_cast<uint8_t>(s.linktype >> 8);
  pcap_add(file, 1000, s.frame.data(), captured);
  put_be32(&file[36], static_cast<uint32_t>(length));
  std::swap(file[36], file[39]), std::swap(file[37], file[38]);
  return told(file);
}
static const uint64_t kSum = 0xcbf29ce484222325ULL;  // FNV-1a
static void fold(uint64_t& sum, const std::string& s) {
  for (char c : s) sum = (sum ^ static_cast<uint8_t>(c)) * 0x100000001b3ULL;
  sum = (sum ^ 0x100) * 0x100000001b3ULL;
}
static std::string hex(uint64_t v) {
  char out[17];
  snprintf(out, sizeof out, "%016llx", static_cast<unsigned long long>(v));
  return out;
}
template <typename F>
static std::string sum_of_changes(std::vector<uint8_t>& bytes, F tell) {
  uint64_t sum = kSum;
  for (uint8_t& b : bytes)
    for (uint8_t change : {1, 2, 4, 8, 16, 32, 64, 128, 255}) {
      b ^= change;
      fold(sum, tell());
      b ^= change;
    }
  return hex(sum);
}

// What is told of a frame, and sums over what is told of it with every number of captured and of sent bytes, and with every byte changed.
static std::string transcript(Sample s) {
  const size_t n = s.frame.size();
  const std::string whole = told(s, n, n);
  uint64_t cuts = kSum;
  for (size_t i = 0; i < n; i++) fold(cuts, told(s, i, n)), fold(cuts, told(s, i, i));
  return whole.substr(whole.find('\n', whole.find("\npacket at") + 1) + 1) + "cut " + hex(cuts) + "\nchanged " + sum_of_changes(s.frame, [&] { return told(s, n, n); }) + "\n";
}
static std::string transcript(std::vector<uint8_t> file) {
  std::string out = told(file);
  uint64_t cuts = kSum;
  for (size_t i = 0; i < file.size(); i++) fold(cuts, told({file.begin(), file.begin() + static_cast<std::ptrdiff_t>(i)}));
  return out + "cut " + hex(cuts) + "\nchanged " + sum_of_changes(file, [&] { return told(file); }) + "\n";
}

// A packet of 192.0.2.1 → 192.0.2.2 or 2001:db8::1 → 2001:db8::2, its checksums right: the transport's stands at `checksum` in the payload.
static Sample packet(const std::string& what, bool v6, uint8_t protocol, const std::string& payload, uint32_t checksum) {
  std::vector<uint8_t> body = bytes(payload), p;
  auto length = static_cast<uint16_t>(body.size());
  p = v6 ? bytes("60000000" "0000" "0040" "20010db8000000000000000000000001" "20010db8000000000000000000000002") : bytes("45000000" "00010000" "4000" "0000" "c0000201" "c0000202");
  if (v6) put_be16(&p[4], length), p[6] = protocol;
  else put_be16(&p[2], static_cast<uint16_t>(20 + length)), p[9] = protocol, put_be16(&p[10], static_cast<uint16_t>(~checksum_fold(checksum_add(p.data(), 20, 0))));
  if (checksum) {
    std::vector<uint8_t> pseudo(p.begin() + (v6 ? 8 : 12), p.end());
    pseudo.insert(pseudo.end(), {0, protocol, static_cast<uint8_t>(length >> 8), static_cast<uint8_t>(length)});
    uint32_t seed = protocol == 1 ? 0 : checksum_add(pseudo.data(), static_cast<uint32_t>(pseudo.size()), 0);
    put_be16(&body[checksum], static_cast<uint16_t>(~checksum_fold(checksum_add(body.data(), length, seed))));
  }
  p.insert(p.end(), body.begin(), body.end());
  return {what, 101, p};
}
std::vector<Sample> transport_samples() {
  const std::string quoted4 = "45000030" "00010000" "4006" "0000" "c0000202" "c0000201", quoted6 = "60000000" "001c" "1140" "20010db8000000000000000000000002" "20010db8000000000000000000000001";
  return {
      packet("TCP, SYN with options", false, 6, "0fa00050" "00000063" "00000000" "b002ffff" "00000000" "020405b4" "01" "030307" "0402" "080a0000000100000000" "00" "00" "00" "00", 16),
      packet("TCP with data", false, 6, "0fa00050" "00000064" "000001f4" "5018ffff" "00000000" "474554202f20", 16),
      packet("TCP over IPv6, a reset", true, 6, "0fa00050" "00000064" "000001f4" "50140000" "00000000", 16),
      packet("TCP, urgent", false, 6, "0fa00050" "00000064" "000001f4" "5038ffff" "0000" "0003" "616263646566", 16),
      packet("UDP", false, 17, "c0000035" "000c" "0000" "61626364", 6),
      packet("UDP without a checksum", false, 17, "c0000035" "000c" "0000" "61626364", 0),
      packet("UDP with bytes behind it", true, 17, "c0000035" "000c" "0000" "616263640000", 6),
      packet("ICMP, echo", false, 1, "0800" "0000" "00070001" "61626364", 2),
      packet("ICMP, a time", false, 1, "0d00" "0000" "00070001" "000000010000000200000003", 2),
      packet("ICMP, unreachable, of TCP", false, 1, "0303" "0000" "00000000" + quoted4 + "0fa00050" "00000063", 2),
      packet("ICMP, unreachable, of TCP behind options", false, 1, "0303" "0000" "00000000" "46000034" "00010000" "4006" "0000" "c0000202" "c0000201" "01010101" "0fa00050" "00000063", 2),
      packet("ICMP, time exceeded, of ICMP", false, 1, "0b00" "0000" "00000000" "45000030" "00010000" "4001" "0000" "c0000202" "c0000201" "0800000000070001", 2),
      packet("ICMP, unreachable, of a later fragment", false, 1, "0301" "0000" "00000000" "45000030" "00010003" "4011" "0000" "c0000202" "c0000201" "0fa0005000000063", 2),
      packet("ICMPv6, echo", true, 58, "8000" "0000" "00070001" "61626364", 2),
      packet("ICMPv6, neighbour solicitation", true, 58, "8700" "0000" "00000000" "20010db8000000000000000000000002" "0101" "020000000001", 2),
      packet("ICMPv6, unreachable, of UDP", true, 58, "0104" "0000" "00000000" + quoted6 + "c0000035" "001c0000", 2),
      packet("ICMPv6, unreachable, of UDP behind an extension", true, 58, "0104" "0000" "00000000" "60000000" "001c" "0040" "20010db8000000000000000000000002" "20010db8000000000000000000000001" "1100010400000000" "c0000035" "001c0000", 2),
      packet("ICMPv6, too big, of ICMPv6", true, 58, "0200" "0000" "00000500" "60000000" "0008" "3a40" "20010db8000000000000000000000002" "20010db8000000000000000000000001" "8000000000070001", 2),
      packet("SCTP", false, 132, "0fa00050" "00000001" "00000000" "01000014" "0000000100000000", 0),
      packet("a protocol without ports", false, 89, "0201002c" "c0000201", 0),
      packet("IPv6, a first fragment", true, 44, "1100" "0001" "00000007" "c0000035" "0010" "0000" "6162636465666768", 0),
      packet("IPv6, a lone fragment", true, 44, "1100" "0000" "00000007" "c0000035" "0010" "0000" "6162636465666768", 0),
      packet("IPv6, routing of type 0", true, 43, "1102" "0001" "00000000" "20010db8000000000000000000000003" "c0000035" "0010" "0000" "6162636465666768", 0),
      packet("IPv6, authentication", true, 51, "1104" "0000" "00000001" "00000001" "000000000000000000000000" "c0000035" "0010" "0000" "6162636465666768", 0),
      packet("IPv6, authentication, then options", true, 51, "3c04" "0001" "00000001" "00000001" "000000000000000000000000" "1100" "010400000000" "c0000035" "0010" "0000" "6162636465666768", 0),
      packet("IPv4, authentication", false, 51, "1104" "0001" "00000001" "00000001" "000000000000000000000000" "c0000035" "0010" "0000" "6162636465666768", 0),
      packet("IPv6, a whole datagram as a fragment, in it an option", true, 44, "3c00" "0000" "00000007" "1100" "010400000000" "c0000035" "0010" "0000" "6162636465666768", 0),
      packet("IPv6, options of the destination and of each hop", true, 0, "3c00" "010400000000" "1100" "c20400000000" "c0000035" "0010" "0000" "6162636465666768", 0),
  };
}

// Link headers with what may stand in them, and a trailer: the whole of what was captured.
static std::vector<Sample> trailers() {
  const std::string k1 = "0a0000000001", k2 = "0a0000000002", k3 = "0a0000000003", ip = "45000014000000004011f6d5c0000201c0000202";
  const std::string wifi = "08000000" + k2 + k1 + k3 + "0000" "aaaa030000000800" + ip;
  return {
      {"radiotap with flags", 127, bytes("00000900" "02000000" "10" + wifi + "deadbeef")},
      {"radiotap with a time and flags", 127, bytes("00001100" "03000000" "0102030405060708" "10" + wifi + "deadbeef")},
      {"radiotap with three words, a time and flags", 127, bytes("00002100" "030000a0" "000000a0" "00000000" "0102030405060708" "1000000000000000" "00" + wifi + "deadbeef")},
      {"PPI with fields, the last without content", 192, bytes("00001a00" "69000000" "02000a00" "0000000000000000" "0100" "05000000" + wifi + "deadbeef")},
      {"802.3, padded", 1, bytes(k2 + k1 + "001c" "aaaa030000000800" + ip + "0000000000000000")},
      {"Ethernet, padded", 1, bytes(k2 + k1 + "0800" + ip + "0000000000000000")},
      {"ARP", 1, bytes(k2 + k1 + "0806" "0001080006040001" + k1 + "c0000201" "000000000000" "c0000202" "0000")},
      {"Frame Relay, another control", 107, bytes("18410800cc" + ip)},
      {"netlink", 113, bytes("000003380000" "0000000000000000" "0800" + ip)},
      {"LLDP", 1, bytes(k2 + k1 + "88cc" "0207040a0000000001")},
      {"STP", 1, bytes("0180c2000000" + k1 + "0026" "424203" "0000000000")},
      {"CDP", 1, bytes("01000ccccccc" + k1 + "0010" "aaaa0300000c2000" "02b4000000000000")},
      {"802.11, a beacon", 105, bytes("80000000" "ffffffffffff" + k1 + k1 + "0000" "0000000000000000")},
  };
}

// All of a connection, and fragments that come together.
static std::vector<uint8_t> connection() {
  Maker m;
  m.handshake();
  m.tcp(true, 100, 500, ACK, "GET /");
  m.tcp(false, 500, 105, ACK, "");
  m.tcp(false, 503, 105, ACK, "def");
  m.tcp(false, 500, 105, ACK, "abc");
  m.tcp(true, 105, 506, FIN | ACK, "");
  m.tcp(false, 506, 106, FIN | ACK, "");
  m.tcp(true, 106, 507, ACK, "");
  return m.file;
}
static std::vector<uint8_t> fragments_of(bool v6, bool option = false) {
  std::vector<uint8_t> file = pcap_head(101);
  auto add = [&](const std::string& hex) {
    std::vector<uint8_t> b = bytes(hex);
    if (!v6) put_be16(&b[10], static_cast<uint16_t>(~checksum_fold(checksum_add(b.data(), 20, 0))));
    pcap_add(file, 1000, b.data(), b.size());
  };
  const std::string from4 = "c0000201" "c0000202", from6 = "20010db8000000000000000000000001" "20010db8000000000000000000000002";
  if (v6) {
    if (option) {
      add("60000000" "0018" "2c40" + from6 + "3c00" "0001" "00000007" "1100" "010400000000" "c0000035" "000c" "0000");
      add("60000000" "000c" "2c40" + from6 + "3c00" "0010" "00000007" "61626364");
      return file;
    }
    add("60000000" "0010" "2c40" + from6 + "1100" "0009" "00000007" "6162636465666768");
    add("60000000" "000c" "2c40" + from6 + "1100" "0010" "00000007" "696a6b6c");
    add("60000000" "0010" "2c40" + from6 + "1100" "0001" "00000007" "c0000035" "0014" "0000");
  } else {
    add("4500001c" "00072001" "4011" "0000" + from4 + "6162636465666768");
    add("45000018" "00070002" "4011" "0000" + from4 + "696a6b6c");
    add("4500001c" "00072000" "4011" "0000" + from4 + "c0000035" "0014" "0000");
  }
  return file;
}

void transcripts() {
  std::vector<std::pair<std::string, std::string>> now;
  for (auto samples : {link_samples(), network_samples(), transport_samples(), trailers()})
    for (const Sample& s : samples) now.emplace_back(s.what, transcript(s));
  now.emplace_back("a connection", transcript(connection()));
  now.emplace_back("IPv4 in three fragments", transcript(fragments_of(false)));
  now.emplace_back("IPv6 in three fragments", transcript(fragments_of(true)));
  now.emplace_back("IPv6 in fragments, the first with an option", transcript(fragments_of(true, true)));
  for (const auto& [what, file] : capture_samples()) now.emplace_back(what, transcript(file));

  const std::string path = std::string(__FILE__).substr(0, std::string(__FILE__).rfind('/')) + "/transcripts.txt";
  if (update_transcripts) {
    std::ofstream f(path);
    for (const auto& [what, text] : now) f << "== " << what << "\n" << text;
    return;
  }
  std::ifstream f(path);
  std::map<std::string, std::string> known;
  std::string what;
  for (std::string line; std::getline(f, line);)
    if (line.rfind("== ", 0) == 0) what = line.substr(3);
    else known[what] += line + "\n";
  for (const auto& [name, text] : now) {
    if (text != known[name]) printf("%s\n-- was\n%s-- is\n%s", name.c_str(), known[name].c_str(), text.c_str());
    check(text == known[name], ("cut at every byte, and each byte changed: " + name).c_str());
  }
  check(known.size() == now.size(), "no transcript of what is there no more");
}

}  // namespace tf
