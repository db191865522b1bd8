#include "bpf.h"

#include "../wire/bytes.h"

namespace tf {
namespace {
constexpr uint16_t LD = 0, LDX = 1, ST = 2, STX = 3, JMP = 5, RET = 6, MEM = 0x60;
constexpr uint32_t kMemory = 16, kMaxInstructions = 4096;
constexpr uint32_t kAncillary = 0xfffff000u, kNetOffset = 0xfff00000u, kLinkOffset = 0xffe00000u;

bool allowed(uint16_t code) {
  switch (code) {
    // ALU {add sub mul div mod and or xor lsh rsh} × {K, X}, neg
    case 0x04: case 0x0c: case 0x14: case 0x1c: case 0x24: case 0x2c: case 0x34: case 0x3c: case 0x44: case 0x4c:
    case 0x54: case 0x5c: case 0x64: case 0x6c: case 0x74: case 0x7c: case 0x84: case 0x94: case 0x9c: case 0xa4: case 0xac:
    // LD W/H/B ABS, IND; W LEN; IMM; MEM
    case 0x20: case 0x28: case 0x30: case 0x40: case 0x48: case 0x50: case 0x80: case 0x00: case 0x60:
    // LDX W LEN, B MSH, IMM, MEM; ST, STX; TAX, TXA; RET K, A
    case 0x81: case 0xb1: case 0x01: case 0x61: case 0x02: case 0x03: case 0x07: case 0x87: case 0x06: case 0x16:
    // JA, JEQ JGT JGE JSET × {K, X}
    case 0x05: case 0x15: case 0x1d: case 0x25: case 0x2d: case 0x35: case 0x3d: case 0x45: case 0x4d: return true;
    default: return false;
  }
}

// SKF_AD_*: protocol … vlan_tpid, every four bytes up to 60; pay_offset is 52, random 56.
bool known_ancillary(uint32_t k) {
  uint32_t off = k - kAncillary;
  return off % 4 == 0 && off <= 60;
}

std::string number(uint32_t v) { return std::to_string(v); }

void check_scratch(const Program& p, std::vector<Violation>& out) {
  std::vector<uint16_t> masks(p.size(), 0xffff);
  uint16_t valid = 0;
  for (uint32_t pc = 0; pc < p.size(); pc++) {
    valid &= masks[pc];
    const Instruction& i = p[pc];
    auto join = [&](uint64_t target) {
      if (target < p.size()) masks[target] &= valid;
    };
    switch (i.code) {
      case ST: case STX:
        if (i.k < kMemory) valid = static_cast<uint16_t>(valid | 1u << i.k);
        break;
      case LD | MEM: case LDX | MEM:
        if (i.k < kMemory && !(valid & 1u << i.k)) out.push_back({pc, "reads scratch cell M[" + number(i.k) + "] that some path has not written"});
        break;
      case 0x05:
        join(static_cast<uint64_t>(pc) + 1 + i.k);
        valid = 0xffff;
        break;
      default:
        if ((i.code & 7) == JMP) {
          join(static_cast<uint64_t>(pc) + 1 + i.jt);
          join(static_cast<uint64_t>(pc) + 1 + i.jf);
          valid = 0xffff;
        }
    }
  }
}

struct Packet {
  const uint8_t* data;
  uint32_t caplen, length;
};

// A load outside the packet ends the program with 0, as in the kernel. SKF_LL_OFF and SKF_NET_OFF are relative to the frame and
// to the network header; a savefile has no socket buffer, so the network header is taken to follow an Ethernet header.
bool load(const Packet& p, uint32_t offset, uint32_t size, uint32_t& a) {
  if (static_cast<int32_t>(offset) < 0) {
    if (offset >= kNetOffset && offset < kAncillary) offset = offset - kNetOffset + 14;
    else if (offset >= kLinkOffset && offset < kNetOffset) offset -= kLinkOffset;
    else return false;
  }
  if (offset > p.caplen || p.caplen - offset < size) return false;
  const uint8_t* at = p.data + offset;
  a = size == 4 ? be32(at) : size == 2 ? be16(at) : *at;
  return true;
}

// Ancillary values that a savefile can answer: protocol and length are in the frame, tags are in it already; the rest read as 0.
uint32_t ancillary(const Packet& p, uint32_t k, uint32_t a, uint32_t x) {
  switch (k - kAncillary) {
    case 0: return p.caplen >= 14 ? be16(p.data + 12) : 0;
    case 40: return a ^ x;
    default: return 0;
  }
}
}  // namespace

std::vector<Violation> verify(const Program& p) {
  std::vector<Violation> out;
  if (p.empty()) return {{0, "the program is empty"}};
  if (p.size() > kMaxInstructions) return {{kMaxInstructions, "more than 4096 instructions"}};
  const auto n = static_cast<uint32_t>(p.size());
  for (uint32_t pc = 0; pc < n; pc++) {
    const Instruction& i = p[pc];
    if (!allowed(i.code)) {
      out.push_back({pc, "unknown instruction code " + number(i.code)});
      continue;
    }
    switch (i.code) {
      case 0x34: case 0x94:
        if (i.k == 0) out.push_back({pc, "division by zero"});
        break;
      case 0x64: case 0x74:
        if (i.k >= 32) out.push_back({pc, "shift by " + number(i.k) + ", 31 is the most"});
        break;
      case LD | MEM: case LDX | MEM: case ST: case STX:
        if (i.k >= kMemory) out.push_back({pc, "scratch cell " + number(i.k) + ", 15 is the last"});
        break;
      case 0x05:
        if (i.k >= n - pc - 1) out.push_back({pc, "jump past the end of the program"});
        break;
      case 0x20: case 0x28: case 0x30:
        if (i.k >= kAncillary && !known_ancillary(i.k)) out.push_back({pc, "unknown ancillary load"});
        break;
      default:
        if ((i.code & 7) == JMP && (pc + i.jt + 1 >= n || pc + i.jf + 1 >= n)) out.push_back({pc, "jump past the end of the program"});
    }
  }
  if (p.back().code != RET && p.back().code != (RET | 0x10)) out.push_back({n - 1, "the last instruction is no return"});
  if (out.empty()) check_scratch(p, out);
  return out;
}

namespace {
template <bool kCount>
uint32_t execute(const Program& program, const uint8_t* data, uint32_t caplen, uint32_t length, double* hits) {
  const Packet p{data, caplen, length};
  uint32_t a = 0, x = 0, m[kMemory] = {0};
  for (const Instruction* i = program.data();; i++) {
    if constexpr (kCount) hits[i - program.data()]++;
    const uint32_t k = i->k, v = i->code & 8 ? x : k;
    switch (i->code) {
      case 0x06: return k;
      case 0x16: return a;
      case 0x20: case 0x28: case 0x30:
        if (k >= kAncillary) a = ancillary(p, k, a, x);
        else if (!load(p, k, i->code == 0x20 ? 4 : i->code == 0x28 ? 2 : 1, a)) return 0;
        break;
      case 0x40: case 0x48: case 0x50:
        if (!load(p, x + k, i->code == 0x40 ? 4 : i->code == 0x48 ? 2 : 1, a)) return 0;
        break;
      case 0x80: a = length; break;
      case 0x81: x = length; break;
      case 0x00: a = k; break;
      case 0x01: x = k; break;
      case 0x60: a = m[k & 15]; break;
      case 0x61: x = m[k & 15]; break;
      case 0xb1: {
        uint32_t b = 0;
        if (!load(p, k, 1, b)) return 0;
        x = (b & 0xf) << 2;
        break;
      }
      case 0x02: m[k & 15] = a; break;
      case 0x03: m[k & 15] = x; break;
      case 0x04: case 0x0c: a += v; break;
      case 0x14: case 0x1c: a -= v; break;
      case 0x24: case 0x2c: a *= v; break;
      case 0x34: case 0x3c:
        if (v == 0) return 0;
        a /= v;
        break;
      case 0x94: case 0x9c:
        if (v == 0) return 0;
        a %= v;
        break;
      case 0x44: case 0x4c: a |= v; break;
      case 0x54: case 0x5c: a &= v; break;
      case 0xa4: case 0xac: a ^= v; break;
      case 0x64: case 0x6c: a <<= v & 31; break;
      case 0x74: case 0x7c: a >>= v & 31; break;
      case 0x84: a = 0u - a; break;
      case 0x05: i += k; break;
      case 0x15: case 0x1d: i += a == v ? i->jt : i->jf; break;
      case 0x25: case 0x2d: i += a > v ? i->jt : i->jf; break;
      case 0x35: case 0x3d: i += a >= v ? i->jt : i->jf; break;
      case 0x45: case 0x4d: i += (a & v) ? i->jt : i->jf; break;
      case 0x07: x = a; break;
      case 0x87: a = x; break;
      default: return 0;
    }
  }
}
}  // namespace

uint32_t run(const Program& program, const uint8_t* data, uint32_t caplen, uint32_t length) {
  return execute<false>(program, data, caplen, length, nullptr);
}
uint32_t run_counting(const Program& program, const uint8_t* data, uint32_t caplen, uint32_t length, double* hits) {
  return execute<true>(program, data, caplen, length, hits);
}

}  // namespace tf
