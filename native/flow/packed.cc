#include "packed.h"

#include <new>

namespace tf {
namespace {

constexpr size_t kMostNotes = 64;
constexpr size_t kMostRetained = 64;  // pieces of bytes that nobody acknowledged yet, of one side

// What there is besides FlowPlain. The bytes of what is retained stand behind all, as they are.
struct Rest {
  uint32_t notes, tcp, retained[2];
};
struct Piece {
  uint32_t seq, len;
};

// All are copied as words of eight bytes.
template <typename Plain>
constexpr size_t words() {
  static_assert(std::is_trivially_copyable_v<Plain> && sizeof(Plain) % 8 == 0);
  return sizeof(Plain) / 8;
}
constexpr size_t kMostWords = words<Rest>() + words<FlowPlain>() + words<TcpPlain>() + 2 * words<HalfPlain>() +
                              kMostNotes * words<Note>() + 2 * kMostRetained * words<Piece>();

// A word is a byte that says which of its bytes are not zero, and these; for words of zeros, a zero and how many they are.
class Writer {
 public:
  template <typename Plain>
  void put(const Plain& v) {
    const auto* p = reinterpret_cast<const uint8_t*>(&v);
    for (size_t i = 0; i < words<Plain>(); i++, p += 8) word(p);
  }
  size_t end() {
    if (zeros_) *to_++ = 0, *to_++ = static_cast<uint8_t>(zeros_);
    zeros_ = 0;
    return static_cast<size_t>(to_ - out);
  }
  uint8_t out[kMostWords * 9];

 private:
  void word(const uint8_t* p) {
    uint64_t all;
    memcpy(&all, p, 8);
    if (all == 0 && zeros_ < 255) {
      zeros_++;
      return;
    }
    end();
    if (all == 0) {
      zeros_ = 1;
      return;
    }
    uint8_t* mask = to_++;
    *mask = 0;
    for (int i = 0; i < 8; i++)
      if (p[i]) *mask |= static_cast<uint8_t>(1 << i), *to_++ = p[i];
  }
  uint8_t* to_ = out;
  unsigned zeros_ = 0;
};

class Reader {
 public:
  explicit Reader(const uint8_t* from) : from_(from) {}
  // Behind the last word.
  const uint8_t* end() const { return from_; }
  template <typename Plain>
  void get(Plain& v) {
    auto* p = reinterpret_cast<uint8_t*>(&v);
    for (size_t i = 0; i < words<Plain>(); i++, p += 8) word(p);
  }

 private:
  void word(uint8_t* p) {
    memset(p, 0, 8);
    if (zeros_ == 0) {
      uint8_t mask = *from_++;
      for (int i = 0; i < 8; i++)
        if (mask & 1 << i) p[i] = *from_++;
      if (mask) return;
      zeros_ = *from_++;
    }
    zeros_--;
  }
  const uint8_t* from_;
  unsigned zeros_ = 0;
};

}  // namespace

PackedFlow* pack(const Flow& f) {
  if (f.dirty || f.notes.size() > kMostNotes) return nullptr;
  Rest rest{static_cast<uint32_t>(f.notes.size()), f.tcp != nullptr, {0, 0}};
  size_t kept = 0;
  if (f.tcp)
    for (int side = 0; side < 2; side++) {
      const Half& h = f.tcp->half[side];
      if (!h.waiting.empty() || h.retained.size() > kMostRetained) return nullptr;
      rest.retained[side] = static_cast<uint32_t>(h.retained.size());
      for (const Retained& r : h.retained) kept += r.len;
    }
  Writer w;
  w.put(rest);
  w.put(static_cast<const FlowPlain&>(f));
  if (f.tcp) {
    w.put(static_cast<const TcpPlain&>(*f.tcp));
    for (const Half& h : f.tcp->half) {
      w.put(static_cast<const HalfPlain&>(h));
      for (const Retained& r : h.retained) w.put(Piece{r.seq, r.len});
    }
  }
  for (const Note& n : f.notes) w.put(n);
  size_t size = w.end();
  auto* p = new (::operator new(sizeof(PackedFlow) + size + kept)) PackedFlow;
  static_cast<Link&>(*p) = f;
  p->packed = true;
  memcpy(p->bytes(), w.out, size);
  uint8_t* to = p->bytes() + size;
  if (f.tcp)
    for (const Half& h : f.tcp->half)
      for (const Retained& r : h.retained) {
        memcpy(to, r.at, r.len);
        to += r.len;
      }
  return p;
}

Flow* unpack(const PackedFlow& p) {
  auto* f = new Flow();
  static_cast<Link&>(*f) = p;
  f->packed = false;
  Reader r(p.bytes());
  Rest rest;
  r.get(rest);
  r.get(static_cast<FlowPlain&>(*f));
  if (rest.tcp) {
    f->tcp = new Tcp();
    r.get(static_cast<TcpPlain&>(*f->tcp));
    for (int side = 0; side < 2; side++) {
      Half& h = f->tcp->half[side];
      r.get(static_cast<HalfPlain&>(h));
      h.retained.reserve(rest.retained[side]);
      for (uint32_t n = 0; n < rest.retained[side]; n++) {
        Piece piece;
        r.get(piece);
        h.retained.push_back({piece.seq, piece.len, nullptr, true});
      }
    }
  }
  f->notes.resize(rest.notes);
  for (Note& n : f->notes) r.get(n);
  const uint8_t* from = r.end();
  if (f->tcp)
    for (Half& h : f->tcp->half)
      for (Retained& kept : h.retained) {
        auto* copy = new uint8_t[kept.len];
        memcpy(copy, from, kept.len);
        from += kept.len;
        kept.at = copy;
      }
  return f;
}

void free_flow(Link* l) {
  if (l->packed) {
    auto* p = static_cast<PackedFlow*>(l);
    p->~PackedFlow();
    ::operator delete(p);
    return;
  }
  auto* f = static_cast<Flow*>(l);
  if (f->tcp)
    for (Half& h : f->tcp->half)
      for (Retained& r : h.retained)
        if (r.owned) delete[] r.at;
  delete f->tcp;
  delete f;
}

}  // namespace tf
