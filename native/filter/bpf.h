// Classic BPF: the kernel's verifier rules and the kernel's run-time semantics (net/core/filter.c), offline.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace tf {

struct Instruction {
  uint16_t code;
  uint8_t jt, jf;
  uint32_t k;
};
using Program = std::vector<Instruction>;

struct Violation {
  uint32_t at;       // instruction number
  std::string what;  // the rule it breaks
};

// All rules of bpf_check_classic and check_load_and_stores that the program breaks; empty: the kernel takes it.
std::vector<Violation> verify(const Program& program);

// Runs a verified program: bytes to keep, 0 = drop. `length` is the packet's length on the wire.
uint32_t run(const Program& program, const uint8_t* data, uint32_t caplen, uint32_t length);
// The same; counts in `hits`, one for each instruction, how often it was reached.
uint32_t run_counting(const Program& program, const uint8_t* data, uint32_t caplen, uint32_t length, double* hits);

}  // namespace tf
