// Our verifier and interpreter beside the kernel's: random programs, valid and invalid, attached to a real socket; the same must be taken and
// refused, and of each packet the same number of bytes kept. `filter_kernel [PROGRAMS] [SEED]`. Linux only; no privilege needed.
#include "../../filter/bpf.h"

#include <cstdio>
#include <cstdlib>
#include <random>

#ifdef __linux__
#include <linux/filter.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

using tf::Instruction;
using tf::Program;
namespace {
std::mt19937_64 random_;
uint32_t below(uint32_t n) { return static_cast<uint32_t>(random_() % n); }

constexpr uint16_t kCodes[] = {0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c, 0x44, 0x4c, 0x54, 0x5c, 0x64, 0x6c, 0x74, 0x7c, 0x84, 0x94, 0x9c,
                               0xa4, 0xac, 0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x80, 0x00, 0x60, 0x81, 0xb1, 0x01, 0x61, 0x02, 0x03, 0x07, 0x87,
                               0x05, 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d, 0x06, 0x16};
constexpr uint32_t kInteresting[] = {0, 1, 2, 4, 12, 14, 23, 31, 32, 64, 0xff, 0x800, 0x86dd, 0x7fffffff, 0x80000000, 0xffffffff};

uint32_t value() { return below(2) ? kInteresting[below(sizeof kInteresting / 4)] : below(100); }

// Mostly sensible; one in four is broken somewhere.
Program program() {
  const uint32_t n = 1 + below(below(8) ? 24 : 200);
  Program p;
  for (uint32_t pc = 0; pc + 1 < n; pc++) {
    Instruction i{kCodes[below(sizeof kCodes / 2)], 0, 0, value()};
    const uint32_t left = n - pc - 1;
    switch (i.code) {
      case 0x34: case 0x94: i.k = i.k ? i.k : 3; break;
      case 0x64: case 0x74: i.k &= 31; break;
      case 0x60: case 0x61: case 0x02: case 0x03: i.k &= 15; break;
      case 0x20: case 0x28: case 0x30: case 0x40: case 0x48: case 0x50: case 0xb1: i.k = below(90); break;
      case 0x05: i.k = below(left); break;
      default:
        if ((i.code & 7) == 5) i.jt = static_cast<uint8_t>(below(left > 255 ? 255 : left)), i.jf = static_cast<uint8_t>(below(left > 255 ? 255 : left));
    }
    p.push_back(i);
  }
  p.push_back({static_cast<uint16_t>(below(3) ? 0x06 : 0x16), 0, 0, below(3) ? 0xffffu : value()});
  if (below(4) == 0) {
    Instruction& i = p[below(n)];
    switch (below(5)) {
      case 0: i.code = static_cast<uint16_t>(below(512)); break;
      case 1: i.k = value(); break;
      case 2: i.jt = static_cast<uint8_t>(below(256)); break;
      case 3: i.jf = static_cast<uint8_t>(below(256)); break;
      default: p.pop_back();
    }
  }
  return p;
}

// A savefile and a socket without a network see other ancillary values and other headers: such programs are compared for validity alone.
bool comparable(const Program& p) {
  for (const Instruction& i : p) {
    if ((i.code == 0x20 || i.code == 0x28 || i.code == 0x30 || i.code == 0xb1) && static_cast<int32_t>(i.k) < 0) return false;
    // X may be large: an indirect load can then reach the negative offsets
    if (i.code == 0x40 || i.code == 0x48 || i.code == 0x50) return false;
  }
  return true;
}
// Indirect loads with X from the packet only, so that it is small: as filters use them.
Program indirect() {
  Program p{{0xb1, 0, 0, below(40)}};
  for (uint32_t n = below(6); n; n--) {
    p.push_back({static_cast<uint16_t>(0x40 + 8 * below(3)), 0, 0, below(80)});
    if (below(2)) p.push_back({0x54, 0, 0, value()});
    if (below(3) == 0) p.push_back({0x15, 0, 0, value()});
  }
  p.push_back({static_cast<uint16_t>(below(2) ? 0x06 : 0x16), 0, 0, 0xffff});
  return p;
}

void show(const Program& p) {
  for (size_t i = 0; i < p.size(); i++) fprintf(stderr, "%zu: { 0x%x, %u, %u, 0x%08x }\n", i, p[i].code, p[i].jt, p[i].jf, p[i].k);
}
}  // namespace

int main(int argc, char** argv) {
  const long programs = argc > 1 ? atol(argv[1]) : 100000;
  random_.seed(argc > 2 ? strtoull(argv[2], nullptr, 10) : 1);
  int s[2];
  if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, s) != 0) return perror("socketpair"), 2;
  long valid = 0, packets = 0, wrong = 0;
  for (long n = 0; n < programs && wrong < 5; n++) {
    const bool loads = below(4) == 0;
    Program p = loads ? indirect() : program();
    std::vector<sock_filter> code;
    for (const Instruction& i : p) code.push_back({i.code, i.jt, i.jf, i.k});
    sock_fprog fprog{static_cast<unsigned short>(code.size()), code.data()};
    const bool taken = setsockopt(s[1], SOL_SOCKET, SO_ATTACH_FILTER, &fprog, sizeof fprog) == 0;
    if (!taken && errno == ENOMEM) continue;  // longer than this system's limit, not wrong
    const bool ours = tf::verify(p).empty();
    if (taken != ours) {
      wrong++;
      fprintf(stderr, "program %ld: the kernel %s it, we %s\n", n, taken ? "takes" : "refuses", ours ? "do" : "do not");
      show(p);
    }
    if (!taken) continue;
    valid++;
    if (loads || comparable(p))
      for (int k = 0; k < 4; k++) {
        uint8_t packet[128], got[256];
        const uint32_t len = 1 + below(sizeof packet);
        for (uint32_t i = 0; i < len; i++) packet[i] = static_cast<uint8_t>(below(3) ? below(256) : value());
        const uint32_t kept = std::min(tf::run(p, packet, len, len), len);
        if (send(s[0], packet, len, 0) < 0 && errno != EPERM) return perror("send"), 2;
        const ssize_t r = recv(s[1], got, sizeof got, 0);
        const uint32_t kernel = r < 0 ? 0 : static_cast<uint32_t>(r);
        packets++;
        if (kernel == kept) continue;
        wrong++;
        fprintf(stderr, "program %ld, packet of %u bytes: the kernel keeps %u, we %u\n", n, len, kernel, kept);
        show(p);
        break;
      }
    int none = 0;
    setsockopt(s[1], SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none);
  }
  printf("filter_kernel: %ld programs, %ld valid, %ld packets, %ld disagreements\n", programs, valid, packets, wrong);
  return wrong ? 1 : 0;
}
#else
int main() {
  puts("filter_kernel: skipped, this is not Linux");
  return 0;
}
#endif
