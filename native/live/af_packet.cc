#include "af_packet.h"

#ifdef __linux__
#include <arpa/inet.h>
#include <linux/filter.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tf {
namespace {
constexpr uint32_t kBlockBytes = 1u << 20;
constexpr uint32_t kRetireMs = 20;  // a block that is not full is handed over after this long
constexpr uint32_t kCookedBytes = 20;  // LINKTYPE_LINUX_SLL2
constexpr uint32_t kVlanBytes = 4;

uint32_t linktype_of(int hardware) {
  switch (hardware) {
    case ARPHRD_ETHER:
    case ARPHRD_LOOPBACK: return 1;
    case ARPHRD_IEEE80211: return 105;
    case ARPHRD_IEEE80211_RADIOTAP: return 127;
    case ARPHRD_IEEE80211_PRISM: return 119;
    case ARPHRD_PPP:
    case ARPHRD_NONE:
    case ARPHRD_TUNNEL:
    case ARPHRD_TUNNEL6:
    case ARPHRD_SIT:
    case ARPHRD_IPGRE:
    case 823 /* ARPHRD_IP6GRE */: return 101;  // raw IP
    default: return 0xffffffff;
  }
}
void put32(uint8_t* p, uint32_t v) { memcpy(p, &v, 4); }  // capture files are written in this machine's order
}  // namespace

std::string LiveCapture::open(const LiveOptions& o) {
  options_ = o;
  auto failed = [&](const char* what) {
    error = errno;
    std::string s = std::string(what) + ": " + strerror(error);
    close();
    return s;
  };
  cooked_ = o.interface == "any";
  fd_ = socket(AF_PACKET, (cooked_ ? SOCK_DGRAM : SOCK_RAW) | SOCK_CLOEXEC, 0);  // protocol 0: nothing is taken before bind
  if (fd_ < 0) return failed("AF_PACKET socket");
  if (cooked_) {
    linktype = 276;
  } else {
    ifreq r{};
    strncpy(r.ifr_name, o.interface.c_str(), IFNAMSIZ - 1);
    if (ioctl(fd_, SIOCGIFINDEX, &r) < 0) return failed("no such interface");
    interface_index = static_cast<uint32_t>(r.ifr_ifindex);
    if (ioctl(fd_, SIOCGIFHWADDR, &r) < 0) return failed("its link type");
    linktype = linktype_of(r.ifr_hwaddr.sa_family);
    if (linktype == 0xffffffff) {
      errno = EPFNOSUPPORT;
      return failed("its link type is not known");
    }
    if (ioctl(fd_, SIOCGIFFLAGS, &r) < 0) return failed("its flags");
    if (!(r.ifr_flags & IFF_UP)) {
      errno = ENETDOWN;
      return failed("the interface is down");
    }
  }
  int version = TPACKET_V3;
  if (setsockopt(fd_, SOL_PACKET, PACKET_VERSION, &version, sizeof version) < 0) return failed("TPACKET_V3");
  // With it the kernel stamps a packet once, when it comes, for all who listen; without it each listener stamps when it looks.
  int on = 1;
  setsockopt(fd_, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  int reserve = kVlanBytes;
  setsockopt(fd_, SOL_PACKET, PACKET_RESERVE, &reserve, sizeof reserve);
  tpacket_req3 req{};
  block_bytes_ = kBlockBytes;
  blocks_ = std::max(2u, o.buffer_bytes / kBlockBytes);
  req.tp_block_size = block_bytes_;
  req.tp_block_nr = blocks_;
  req.tp_frame_size = 2048;
  req.tp_frame_nr = block_bytes_ / 2048 * blocks_;
  req.tp_retire_blk_tov = kRetireMs;
  if (setsockopt(fd_, SOL_PACKET, PACKET_RX_RING, &req, sizeof req) < 0) return failed("the capture buffer");
  ring_bytes_ = static_cast<size_t>(block_bytes_) * blocks_;
  void* m = mmap(nullptr, ring_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  if (m == MAP_FAILED) return failed("the capture buffer");
  ring_ = static_cast<uint8_t*>(m);
  if (!cooked_) {
    if (std::string why = attach(o.program); !why.empty()) {
      close();
      return why;
    }
  }
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(interface_index);
  if (bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) return failed("bind");
  if (o.promiscuous && !cooked_) {
    // The kernel takes the membership back when the socket closes, also after a crash.
    packet_mreq member{};
    member.mr_ifindex = static_cast<int>(interface_index);
    member.mr_type = PACKET_MR_PROMISC;
    if (setsockopt(fd_, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &member, sizeof member) == 0) promiscuous = true;
  }
  tpacket_stats_v3 begun{};
  socklen_t len = sizeof begun;
  getsockopt(fd_, SOL_PACKET, PACKET_STATISTICS, &begun, &len);  // counters begin with the first packet that can be read
  stats_.received += begun.tp_packets;
  stats_.dropped += begun.tp_drops;
  return {};
}

std::string LiveCapture::attach(const Program& p) {
  if (p.empty()) {
    int none = 0;
    setsockopt(fd_, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none);
    return {};
  }
  std::vector<sock_filter> code;
  for (const Instruction& i : p) code.push_back({i.code, i.jt, i.jf, i.k});
  sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  if (setsockopt(fd_, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0) {
    error = errno;
    return std::string("the kernel refuses the filter: ") + strerror(error);
  }
  return {};
}

std::string LiveCapture::filter(const Program& p) {
  if (!cooked_)
    if (std::string why = attach(p); !why.empty()) return why;
  options_.program = p;
  return {};
}

std::string LiveCapture::stop() {
  if (fd_ < 0 || stopped_) return {};
  stopped_ = true;
  return attach({{BPF_RET | BPF_K, 0, 0, 0}});
}

// One frame as a record; false: it does not fit.
bool LiveCapture::emit(const uint8_t* frame, uint8_t* out, size_t size, size_t& at) {
  const auto* h = reinterpret_cast<const tpacket3_hdr*>(frame);
  const auto* from = reinterpret_cast<const sockaddr_ll*>(frame + TPACKET_ALIGN(sizeof(tpacket3_hdr)));
  // What goes through the loopback interface is seen going out and coming in: it is one packet.
  if (from->sll_pkttype == PACKET_OUTGOING && from->sll_hatype == ARPHRD_LOOPBACK) {
    stats_.passed_over++;
    return true;
  }
  const uint8_t* data = frame + h->tp_mac;
  uint32_t caplen = h->tp_snaplen, length = h->tp_len;
  if (cooked_) data = frame + h->tp_net;
  const bool tagged = !cooked_ && (h->tp_status & TP_STATUS_VLAN_VALID) && caplen >= 12;
  const uint32_t extra = cooked_ ? kCookedBytes : tagged ? kVlanBytes : 0;
  const uint32_t kept = std::min(caplen + extra, options_.snaplen);
  const bool ng = options_.form == RecordForm::pcapng;
  const size_t total = ng ? 32 + ((kept + 3) & ~3u) : 16 + kept;
  if (at + total > size) return false;
  uint8_t* p = out + at;
  uint8_t* body = p + (ng ? 28 : 16);
  uint32_t done = 0;
  auto put = [&](const uint8_t* b, uint32_t n) {
    n = std::min(n, kept - done);
    memcpy(body + done, b, n);
    done += n;
  };
  if (cooked_) {
    uint8_t sll[kCookedBytes] = {0};
    uint16_t hardware = htons(from->sll_hatype);
    uint32_t index = htonl(static_cast<uint32_t>(from->sll_ifindex));
    memcpy(sll, &from->sll_protocol, 2);
    memcpy(sll + 4, &index, 4);
    memcpy(sll + 8, &hardware, 2);
    sll[10] = from->sll_pkttype;
    sll[11] = from->sll_halen;
    memcpy(sll + 12, from->sll_addr, 8);
    put(sll, kCookedBytes);
    put(data, caplen);
  } else if (tagged) {
    // The driver took the tag out of the frame: it goes back where it was (IEEE 802.1Q).
    uint16_t tpid = htons(h->tp_status & TP_STATUS_VLAN_TPID_VALID ? h->hv1.tp_vlan_tpid : ETH_P_8021Q);
    uint16_t tci = htons(static_cast<uint16_t>(h->hv1.tp_vlan_tci));
    uint8_t tag[kVlanBytes];
    memcpy(tag, &tpid, 2);
    memcpy(tag + 2, &tci, 2);
    put(data, 12);
    put(tag, kVlanBytes);
    put(data + 12, caplen - 12);
  } else {
    put(data, caplen);
  }
  if (!options_.program.empty() && !tagged) {
    if (run(options_.program, body, kept, length + extra) == 0) {
      if (cooked_) {  // here the filter is ours alone
        stats_.passed_over++;
        return true;
      }
      stats_.disagreed++;
    }
  }
  if (ng) {
    const uint64_t ns = static_cast<uint64_t>(h->tp_sec) * 1000000000ULL + h->tp_nsec;
    put32(p, 6);
    put32(p + 4, static_cast<uint32_t>(total));
    put32(p + 8, options_.interface_id);
    put32(p + 12, static_cast<uint32_t>(ns >> 32));
    put32(p + 16, static_cast<uint32_t>(ns));
    put32(p + 20, kept);
    put32(p + 24, length + extra);
    for (uint32_t i = kept; i < ((kept + 3) & ~3u); i++) body[i] = 0;
    put32(p + total - 4, static_cast<uint32_t>(total));
  } else {
    put32(p, h->tp_sec);
    put32(p + 4, h->tp_nsec);
    put32(p + 8, kept);
    put32(p + 12, length + extra);
  }
  at += total;
  packets++;
  return true;
}

int64_t LiveCapture::read(uint8_t* out, size_t size, int timeout_ms) {
  if (fd_ < 0) return -EBADF;
  size_t at = 0;
  for (;;) {
    auto* block = reinterpret_cast<tpacket_block_desc*>(ring_ + static_cast<size_t>(block_) * block_bytes_);
    if (left_ == 0) {
      if (!(__atomic_load_n(&block->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER)) {
        if (at > 0 || timeout_ms == 0) break;
        pollfd p{fd_, POLLIN | POLLERR, 0};
        int n = poll(&p, 1, timeout_ms);
        if (n < 0 && errno != EINTR) return -errno;
        if (p.revents & POLLERR) {
          int why = 0;
          socklen_t len = sizeof why;
          getsockopt(fd_, SOL_SOCKET, SO_ERROR, &why, &len);
          if (why) return -why;
        }
        timeout_ms = 0;
        continue;
      }
      left_ = block->hdr.bh1.num_pkts;
      frame_ = reinterpret_cast<const uint8_t*>(block) + block->hdr.bh1.offset_to_first_pkt;
    }
    while (left_ > 0) {
      if (!emit(frame_, out, size, at)) return static_cast<int64_t>(at);
      left_--;
      frame_ += reinterpret_cast<const tpacket3_hdr*>(frame_)->tp_next_offset;
    }
    __atomic_store_n(&block->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    block_ = (block_ + 1) % blocks_;
  }
  return static_cast<int64_t>(at);
}

LiveStats LiveCapture::stats() {
  tpacket_stats_v3 s{};
  socklen_t len = sizeof s;
  if (fd_ >= 0 && getsockopt(fd_, SOL_PACKET, PACKET_STATISTICS, &s, &len) == 0) {  // reading sets them back to zero
    stats_.received += s.tp_packets;
    stats_.dropped += s.tp_drops;
    stats_.freezes += s.tp_freeze_q_cnt;
  }
  LiveStats told = stats_;
  told.received -= std::min(told.received, told.passed_over);
  return told;
}

void LiveCapture::close() {
  if (ring_) munmap(ring_, ring_bytes_);
  ring_ = nullptr;
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

}  // namespace tf

#else
// Elsewhere there is no AF_PACKET: threatflow captures through the portable driver (src/ingest/live).
#include <cerrno>
namespace tf {
std::string LiveCapture::open(const LiveOptions&) {
  error = ENOSYS;
  return "AF_PACKET is Linux only";
}
int64_t LiveCapture::read(uint8_t*, size_t, int) { return -ENOSYS; }
std::string LiveCapture::stop() { return {}; }
std::string LiveCapture::filter(const Program&) { return {}; }
LiveStats LiveCapture::stats() { return {}; }
void LiveCapture::close() {}
bool LiveCapture::emit(const uint8_t*, uint8_t*, size_t, size_t&) { return false; }
std::string LiveCapture::attach(const Program&) { return {}; }
}  // namespace tf
#endif
