// Our reassembly with the policy `linux` beside the kernel's own: every order of up to three segments that overlap above a hole, then the hole
// itself, sent through a TUN device to a socket of this machine; what the socket reads and what we deliver must be the same bytes. The same
// for fragments of a UDP datagram that do not overlap; of those that do, only that it is told: since 4.19 the kernel begins anew where IPv4
// fragments overlap (the policy `linux` is that of the kernels before), and what RFC 5722 discards whole it takes up again with the next fragment. `overlap_kernel [VERBOSE]`; Linux, root (a network namespace of its own).
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "../../flow/transport.h"
#include "../../wire/bytes.h"
#include "../../wire/dissect.h"
#include "../harness.h"

#ifdef __linux__
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/ipv6.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace tf;
namespace {
constexpr int kUnits = 6, kUnit = 8;  // the first unit is the hole; a fragment's offset counts eights
const uint8_t kPeer[4] = {10, 9, 0, 1}, kHost[4] = {10, 9, 0, 2};
const uint8_t kPeer6[16] = {0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, kHost6[16] = {0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
int tun = -1;

struct Range {
  int from, to;
};
std::vector<Range> ranges(int first, int end) {
  std::vector<Range> out;
  for (int a = first; a < end; a++)
    for (int b = a + 1; b <= end; b++) out.push_back({a, b});
  return out;
}

void configure(int s, unsigned long request, ifreq& r, const char* what) {
  if (ioctl(s, request, &r) < 0) perror(what), exit(1);
}
void set_up() {
  if (unshare(CLONE_NEWNET) < 0) {
    printf("overlap_kernel: skipped, no network namespace of its own here\n");
    exit(0);
  }
  tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
  ifreq r{};
  r.ifr_flags = IFF_TUN | IFF_NO_PI;
  strcpy(r.ifr_name, "tf0");
  if (tun < 0 || ioctl(tun, TUNSETIFF, &r) < 0) {
    printf("overlap_kernel: skipped, no TUN device here\n");
    exit(0);
  }
  // Datagrams that never complete must not push others out.
  for (const char* name : {"ipv4/ipfrag_high_thresh", "ipv6/ip6frag_high_thresh"})
    if (FILE* f = fopen((std::string("/proc/sys/net/") + name).c_str(), "w")) fputs("268435456", f), fclose(f);
  if (FILE* f = fopen("/proc/sys/net/ipv6/conf/all/disable_ipv6", "w")) fputs("0", f), fclose(f);
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  auto* a = reinterpret_cast<sockaddr_in*>(&r.ifr_addr);
  a->sin_family = AF_INET;
  memcpy(&a->sin_addr, kHost, 4);
  configure(s, SIOCSIFADDR, r, "SIOCSIFADDR");
  a->sin_addr.s_addr = htonl(0xffffff00);
  configure(s, SIOCSIFNETMASK, r, "SIOCSIFNETMASK");
  r.ifr_flags = IFF_UP | IFF_RUNNING;
  configure(s, SIOCSIFFLAGS, r, "SIOCSIFFLAGS");
  close(s);
  s = socket(AF_INET6, SOCK_DGRAM, 0);
  in6_ifreq six{};
  memcpy(&six.ifr6_addr, kHost6, 16);
  six.ifr6_prefixlen = 64;
  ifreq index{};
  strcpy(index.ifr_name, "tf0");
  if (s >= 0 && ioctl(s, SIOCGIFINDEX, &index) == 0) {
    six.ifr6_ifindex = index.ifr_ifindex;
    ioctl(s, SIOCSIFADDR, &six);
  }
  close(s);
  usleep(2'500'000);  // duplicate address detection
}

// A capture of raw IP packets, both ways.
struct Capture {
  std::vector<uint8_t> file = pcap_head(101);
  uint32_t time = 1000;
  void add(const uint8_t* p, size_t n) { pcap_add(file, time++, p, n); }
};
void send_packet(Capture& c, const std::vector<uint8_t>& p) {
  c.add(p.data(), p.size());
  if (write(tun, p.data(), p.size()) < 0) perror("write"), exit(1);
}
// What the kernel sends back, into the capture; the first TCP segment with these flags is returned.
std::vector<uint8_t> answers(Capture& c, uint8_t flags) {
  std::vector<uint8_t> found;
  for (int quiet = 0; quiet < (flags && found.empty() ? 200 : 1);) {
    uint8_t b[2048];
    ssize_t n = read(tun, b, sizeof b);
    if (n <= 0) {
      pollfd p{tun, POLLIN, 0};
      if (poll(&p, 1, flags && found.empty() ? 10 : 0) <= 0) quiet++;
      continue;
    }
    if (b[0] >> 4 != 4 || b[9] != 6) continue;
    c.add(b, static_cast<size_t>(n));
    if (found.empty() && flags && (b[20 + 13] & 0x3f) == flags) found.assign(b, b + n);
  }
  return found;
}

std::vector<uint8_t> ip4(uint8_t protocol, const std::vector<uint8_t>& payload, uint16_t id = 1, uint16_t fragment = 0) {
  std::vector<uint8_t> p(20 + payload.size());
  p[0] = 0x45;
  put_be16(&p[2], static_cast<uint16_t>(p.size()));
  put_be16(&p[4], id);
  put_be16(&p[6], fragment);
  p[8] = 64, p[9] = protocol;
  memcpy(&p[12], kPeer, 4);
  memcpy(&p[16], kHost, 4);
  put_be16(&p[10], static_cast<uint16_t>(~checksum_fold(checksum_add(p.data(), 20, 0))));
  std::copy(payload.begin(), payload.end(), p.begin() + 20);
  return p;
}
std::vector<uint8_t> tcp(uint16_t port, uint32_t seq, uint32_t ack, uint8_t flags, const std::string& data) {
  std::vector<uint8_t> t(20 + data.size());
  put_be16(&t[0], port);
  put_be16(&t[2], 80);
  put_be32(&t[4], seq);
  put_be32(&t[8], ack);
  t[12] = 0x50, t[13] = flags;
  put_be16(&t[14], 65535);
  std::copy(data.begin(), data.end(), t.begin() + 20);
  uint8_t pseudo[12];
  memcpy(pseudo, kPeer, 4);
  memcpy(pseudo + 4, kHost, 4);
  pseudo[8] = 0, pseudo[9] = 6;
  put_be16(pseudo + 10, static_cast<uint16_t>(t.size()));
  put_be16(&t[16], static_cast<uint16_t>(~checksum_fold(checksum_add(t.data(), static_cast<uint32_t>(t.size()), checksum_add(pseudo, 12, 0)))));
  return ip4(6, t);
}

int cases = 0, differ = 0, silent = 0;
bool verbose = false;
// `bytes`: the same bytes are wanted; else only that what overlaps is told.
void judge(const char* what, const std::vector<Range>& sent, const std::string& theirs, const Outcome& ours, bool overlapping, bool bytes = true) {
  cases++;
  std::string mine(ours.stream.begin(), ours.stream.end());
  bool told = false;
  for (const EventRow& r : ours.rows)
    told |= r.type == static_cast<uint32_t>(Event::note) &&
            (r.extra == static_cast<uint32_t>(Anomaly::tcp_overlap_conflict) || r.extra == static_cast<uint32_t>(Anomaly::tcp_overlap_unverified) ||
             r.extra == static_cast<uint32_t>(Anomaly::ip_fragment_overlap));
  if (overlapping && !told) silent++;
  if (!bytes || mine == theirs) return;
  differ++;
  if (!verbose && differ > 5) return;
  printf("%s", what);
  for (const Range& r : sent) printf(" [%d,%d)", r.from, r.to);
  printf(": the kernel %s, we %s\n", theirs.empty() ? "nothing" : theirs.c_str(), mine.empty() ? "nothing" : mine.c_str());
}
// An exact copy is none; the letters of the tests differ, so that every overlap is a conflict too.
bool overlap(const std::vector<Range>& sent) {
  for (size_t i = 0; i < sent.size(); i++)
    for (size_t j = 0; j < i; j++)
      if (sent[i].from < sent[j].to && sent[j].from < sent[i].to) return true;
  return false;
}

void segments(int listener, const std::vector<Range>& sent, bool hole_alone) {
  static uint16_t port = 20000;
  Capture c;
  port = static_cast<uint16_t>(port == 60000 ? 20000 : port + 1);
  uint32_t seq = 1000;
  send_packet(c, tcp(port, seq, 0, SYN, ""));
  std::vector<uint8_t> syn = answers(c, SYN | ACK);
  if (syn.empty()) printf("no SYN-ACK\n"), exit(1);
  uint32_t ack = be32(&syn[24]) + 1;
  send_packet(c, tcp(port, ++seq, ack, ACK, ""));
  for (size_t i = 0; i < sent.size(); i++)
    send_packet(c, tcp(port, seq + static_cast<uint32_t>(sent[i].from), ack, ACK, std::string(static_cast<size_t>(sent[i].to - sent[i].from), static_cast<char>('A' + i))));
  if (hole_alone) send_packet(c, tcp(port, seq, ack, ACK, "h"));
  send_packet(c, tcp(port, seq, ack, ACK, std::string(kUnits, 'f')));
  int s = accept(listener, nullptr, nullptr);
  if (s < 0) perror("accept"), exit(1);
  std::string got;
  char b[256];
  for (ssize_t n; (n = recv(s, b, sizeof b, MSG_DONTWAIT)) > 0;) got.append(b, static_cast<size_t>(n));
  answers(c, 0);
  linger now{1, 0};
  setsockopt(s, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close(s);
  answers(c, 0);
  judge(hole_alone ? "segments, then the hole" : "segments, then all of it", sent, got, run_capture(c.file.data(), c.file.size(), 1 << 16, 1, Overlap::linux_, true), overlap(sent));
}

void fragments(int socket, int version, const std::vector<Range>& sent, uint16_t id) {
  std::vector<uint8_t> head(8);
  put_be16(&head[0], static_cast<uint16_t>(1000 + id % 60000));
  put_be16(&head[2], 53);
  put_be16(&head[4], 8 + (kUnits - 1) * kUnit);
  Capture c;
  std::string data;
  for (size_t i = 0; i < sent.size() + 1; i++) {
    // The datagram's own header travels in the first unit, which no other fragment touches, and comes last.
    Range r = i < sent.size() ? sent[i] : Range{0, 1};
    std::vector<uint8_t> part;
    if (i == sent.size()) {
      part = head;
      if (version == 6) {  // the checksum must be right for what is put together: unknown, so of version 6 none is read but by a raw socket
        part[6] = part[7] = 0;
      }
    } else part.assign(static_cast<size_t>((r.to - r.from) * kUnit), static_cast<uint8_t>('A' + i));
    bool more = r.to != kUnits;
    if (version == 4) {
      send_packet(c, ip4(17, part, id, static_cast<uint16_t>(r.from | (more ? 0x2000 : 0))));
    } else {
      std::vector<uint8_t> p(48 + part.size());
      p[0] = 0x60;
      put_be16(&p[4], static_cast<uint16_t>(8 + part.size()));
      p[6] = 44, p[7] = 64;
      memcpy(&p[8], kPeer6, 16);
      memcpy(&p[24], kHost6, 16);
      p[40] = 17;
      put_be16(&p[42], static_cast<uint16_t>(r.from * 8 | (more ? 1 : 0)));
      put_be32(&p[44], id);
      std::copy(part.begin(), part.end(), p.begin() + 48);
      send_packet(c, p);
    }
  }
  std::string got;
  char b[256];
  for (ssize_t n; (n = recv(socket, b, sizeof b, MSG_DONTWAIT)) > 0;) got.assign(b + (version == 6 ? 8 : 0), static_cast<size_t>(n) - (version == 6 ? 8 : 0));
  uint8_t drop[2048];
  while (read(tun, drop, sizeof drop) > 0) {
  }
  judge(version == 4 ? "IPv4 fragments" : "IPv6 fragments", sent, got, run_capture(c.file.data(), c.file.size(), 1 << 16, 1, Overlap::linux_, true), overlap(sent), !overlap(sent));
}

template <typename F>
void each(int first, int end, F&& work) {
  std::vector<Range> all = ranges(first, end);
  for (const Range& a : all) {
    work({a});
    for (const Range& b : all) {
      work({a, b});
      for (const Range& d : all) work({a, b, d});
    }
  }
}
int report(const char* what) {
  printf("overlap: %s: %d cases, %d differ from the kernel, %d overlaps not told\n", what, cases, differ, silent);
  int bad = differ + silent;
  cases = differ = silent = 0;
  return bad;
}
}  // namespace

int main(int argc, char**) {
  verbose = argc > 1;
  set_up();
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(80);
  memcpy(&a.sin_addr, kHost, 4);
  if (bind(listener, reinterpret_cast<sockaddr*>(&a), sizeof a) < 0 || listen(listener, 64) < 0) return perror("listen"), 1;
  int bad = 0;
  for (bool alone : {true, false}) {
    each(1, kUnits, [&](const std::vector<Range>& sent) { segments(listener, sent, alone); });
    bad += report(alone ? "TCP, then the hole" : "TCP, then a segment over all");
  }
  int udp = socket(AF_INET, SOCK_DGRAM, 0);
  a.sin_port = htons(53);
  if (bind(udp, reinterpret_cast<sockaddr*>(&a), sizeof a) < 0) return perror("bind"), 1;
  uint16_t id = 1;
  each(1, kUnits, [&](const std::vector<Range>& sent) { fragments(udp, 4, sent, id++); });
  bad += report("IPv4");
  int raw = socket(AF_INET6, SOCK_RAW, 17);
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  memcpy(&six.sin6_addr, kHost6, 16);
  if (raw >= 0 && bind(raw, reinterpret_cast<sockaddr*>(&six), sizeof six) == 0) {
    id = 1;
    each(1, kUnits, [&](const std::vector<Range>& sent) { fragments(raw, 6, sent, id++); });
    bad += report("IPv6");
  } else printf("overlap: IPv6: skipped, no address here\n");
  return bad ? 1 : 0;
}
#else
int main() {
  printf("overlap_kernel: skipped, this is no Linux\n");
  return 0;
}
#endif
