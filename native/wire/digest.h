// SHA-1 (community id) and SHA-256 (record ids) of short inputs: FIPS 180-4. Nothing secret passes through here.
#pragma once
#include <cstddef>
#include <cstdint>

namespace tf {
void sha1(const uint8_t* data, size_t len, uint8_t out[20]);
void sha256(const uint8_t* data, size_t len, uint8_t out[32]);
// Keyed 64-bit hash for tables that an attacker's packets fill (SipHash-1-3 shape).
uint64_t siphash(const uint64_t key[2], const uint8_t* data, size_t len);
// Unkeyed 32-bit hash for the packet index: the same in every process and on every machine.
uint32_t index_hash(const uint8_t* data, size_t len);
}  // namespace tf
