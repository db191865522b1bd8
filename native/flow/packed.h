// A flow in which nothing happens, in a third of the memory: its plain structures without their zeros.
#pragma once
#include "flow.h"

namespace tf {

// The structures' bytes stand behind it.
struct PackedFlow : Link {
  uint8_t* bytes() { return reinterpret_cast<uint8_t*>(this + 1); }
  const uint8_t* bytes() const { return reinterpret_cast<const uint8_t*>(this + 1); }
};

// Null: bytes wait in the flow, or lie in a window, or notes or pieces are many, and it stays as it is. Neither takes the flow that it is given.
PackedFlow* pack(const Flow& f);
Flow* unpack(const PackedFlow& p);
void free_flow(Link* l);  // either kind, with the bytes that are its own

}  // namespace tf
