// Packets from an interface through a TPACKET_V3 ring (Linux), handed over as whole windows of capture-file records: the same form in which
// they are written to disk and decoded. No napi here; one object, one thread at a time.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "../filter/bpf.h"

namespace tf {

enum class RecordForm : uint32_t { pcap, pcapng };

struct LiveOptions {
  std::string interface;  // "any": all, as Linux cooked v2
  uint32_t snaplen = 262144;
  uint32_t buffer_bytes = 64u << 20;
  bool promiscuous = true;
  Program program;          // empty: everything
  RecordForm form = RecordForm::pcap;
  uint32_t interface_id = 0;  // in pcapng blocks
};

struct LiveStats {
  uint64_t received = 0;   // by the kernel, behind the filter, dropped ones included, without those passed over
  uint64_t dropped = 0;    // for want of room in the ring
  uint64_t freezes = 0;    // times that the ring was full
  uint64_t passed_over = 0;  // second looks at a packet of the loopback interface, and what our own filter of `any` dropped
  uint64_t disagreed = 0;  // packets that the kernel kept and our interpreter would not have
};

class LiveCapture {
 public:
  LiveCapture() = default;
  LiveCapture(const LiveCapture&) = delete;
  ~LiveCapture() { close(); }
  // Empty: done; else what failed, with errno in `error`.
  std::string open(const LiveOptions& o);
  // Writes records until the ring is empty or the next does not fit; waits up to `timeout_ms` for the first. Returns bytes, or -errno
  // (-ENETDOWN: the interface went down; it may come back).
  int64_t read(uint8_t* out, size_t size, int timeout_ms);
  // Takes no more packets; what the ring holds can still be read.
  std::string stop();
  // Another program, without losing a packet: the kernel changes from one to the next between two packets. Empty: everything.
  std::string filter(const Program& p);
  LiveStats stats();
  void close();

  int error = 0;
  uint32_t linktype = 1;
  uint32_t interface_index = 0;
  bool promiscuous = false;  // the kernel says so
  uint64_t packets = 0;

 private:
  struct Header;
  bool emit(const uint8_t* frame, uint8_t* out, size_t size, size_t& at);
  std::string attach(const Program& p);

  LiveOptions options_;
  int fd_ = -1;
  uint8_t* ring_ = nullptr;
  size_t ring_bytes_ = 0;
  uint32_t block_bytes_ = 0, blocks_ = 0, block_ = 0;
  uint32_t left_ = 0;               // frames of the current block not yet read
  const uint8_t* frame_ = nullptr;  // the next of them
  bool cooked_ = false, stopped_ = false;
  LiveStats stats_;
};

}  // namespace tf
