// Digests, addresses, filters.
#include <cstring>

#include "../wire/digest.h"
#include "../wire/dissect.h"
#include "check.h"

namespace tf {

static std::string hex(const uint8_t* p, int n) {
  std::string s;
  for (int i = 0; i < n; i++) s += "0123456789abcdef"[p[i] >> 4], s += "0123456789abcdef"[p[i] & 15];
  return s;
}

static void digests() {
  uint8_t out[32];
  sha256(reinterpret_cast<const uint8_t*>("abc"), 3, out);
  check(hex(out, 32) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "SHA-256 of abc (FIPS 180-4)");
  std::string long_text(1000, 'a');
  sha256(reinterpret_cast<const uint8_t*>(long_text.data()), long_text.size(), out);
  check(hex(out, 32) == "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3", "SHA-256 of 1,000 a");
  sha1(reinterpret_cast<const uint8_t*>("abc"), 3, out);
  check(hex(out, 20) == "a9993e364706816aba3e25717850c26c9cd0d89d", "SHA-1 of abc (FIPS 180-4)");
}

static void community_ids() {
  const uint8_t a[4] = {128, 232, 110, 120}, b[4] = {66, 35, 250, 204};
  check(community_id(ipv4_address(a), ipv4_address(b), 6, 34855, 80, true) == "1:LQU9qZlK+B5F3KDmev6m5PMibrg=", "community ID of the specification's example");
  check(community_id(ipv4_address(b), ipv4_address(a), 6, 80, 34855, true) == "1:LQU9qZlK+B5F3KDmev6m5PMibrg=", "and the same from the other side");
}

static void addresses() {
  uint8_t six[16] = {0x20, 0x01, 0x0d, 0xb8};
  six[15] = 1;
  check(address_text(ipv6_address(six)) == "2001:db8::1", "IPv6 text by RFC 5952");
  uint8_t zero[16] = {0};
  check(address_text(ipv6_address(zero)) == "::", "the unspecified address");
  const uint8_t four[4] = {192, 0, 2, 255};
  check(address_text(ipv4_address(four)) == "192.0.2.255", "IPv4 text");
}

static void filters() {
  Program ok = {{0x28, 0, 0, 12}, {0x15, 0, 1, 0x800}, {0x06, 0, 0, 0x40000}, {0x06, 0, 0, 0}};
  check(verify(ok).empty(), "a program that the kernel takes");
  uint8_t frame[14] = {0};
  frame[12] = 8;
  check(run(ok, frame, 14, 14) == 0x40000, "an IPv4 frame is kept");
  frame[12] = 0x86;
  check(run(ok, frame, 14, 14) == 0, "another is dropped");
  check(run(ok, frame, 4, 14) == 0, "a load past the end drops");
  check(!verify({}).empty(), "no empty program");
  check(!verify({{0x05, 0, 0, 5}, {0x06, 0, 0, 0}}).empty(), "no jump past the end");
  check(!verify({{0x34, 0, 0, 0}, {0x06, 0, 0, 0}}).empty(), "no division by zero");
  check(!verify({{0x64, 0, 0, 32}, {0x06, 0, 0, 0}}).empty(), "no shift by 32");
  check(!verify({{0x60, 0, 0, 3}, {0x16, 0, 0, 0}}).empty(), "no read of a cell that was not written");
  check(verify({{0x00, 0, 0, 1}, {0x02, 0, 0, 3}, {0x60, 0, 0, 3}, {0x16, 0, 0, 0}}).empty(), "a cell that was written may be read");
  check(!verify({{0x00, 0, 0, 1}}).empty(), "the last instruction returns");
  check(!verify({{0x0e, 0, 0, 0}, {0x06, 0, 0, 0}}).empty(), "RET X is no instruction of the kernel");
  check(!verify({{0x20, 0, 0, 0xfffff000u + 64}, {0x06, 0, 0, 0}}).empty(), "no unknown ancillary load");
}

static void checksums() {
  uint8_t p[75];
  for (int i = 0; i < 75; i++) p[i] = static_cast<uint8_t>(7 * i + 1);
  bool same = true;
  for (uint32_t n = 0; n <= 75; n++) {
    uint32_t sum = 0;  // as RFC 1071 §1 says it: words of two bytes, a last odd one padded with a zero
    for (uint32_t i = 0; i < n; i += 2) sum += static_cast<uint32_t>(p[i] << 8 | (i + 1 < n ? p[i + 1] : 0));
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    same &= checksum_fold(checksum_add(p, n, 0)) == sum;
  }
  check(same, "the sum of any number of bytes (RFC 1071)");
}

void basics() {
  checksums();
  digests();
  community_ids();
  addresses();
  filters();
}

}  // namespace tf
