// The oddities that the native layers name. One list: name, layer, what it means. TypeScript reads it through the binding.
#pragma once
#include <cstdint>

namespace tf {

#define TF_ANOMALIES(X)                                                                                                     \
  X(link_header_truncated, "link-header-truncated", "link", "The frame ends inside its link-layer header.")                \
  X(vlan_header_truncated, "vlan-header-truncated", "link", "The frame ends inside an 802.1Q tag.")                        \
  X(mpls_header_truncated, "mpls-header-truncated", "link", "The frame ends inside the MPLS label stack.")                 \
  X(pppoe_header_truncated, "pppoe-header-truncated", "link", "The frame ends inside the PPPoE or PPP header.")            \
  X(too_many_layers, "too-many-layers", "link", "More nested headers than the limit of 24: the rest was not opened.")      \
  X(flow_vlan_mixed, "flow-vlan-mixed", "link", "Packets of one flow carry different VLAN tags.")                          \
  X(arp_truncated, "arp-truncated", "arp", "The ARP message is shorter than its address lengths say.")                     \
  X(ipv4_header_truncated, "ipv4-header-truncated", "ip", "Fewer bytes than an IPv4 header needs.")                        \
  X(ipv4_header_length_invalid, "ipv4-header-length-invalid", "ip", "The IPv4 header length is below 20 bytes.")           \
  X(ipv4_total_length_invalid, "ipv4-total-length-invalid", "ip", "The IPv4 total length is shorter than the header.")     \
  X(ipv4_length_past_end, "ipv4-length-past-end", "ip", "The IPv4 total length points past the end of the frame.")         \
  X(ipv4_options_invalid, "ipv4-options-invalid", "ip", "An IPv4 option has a length that does not fit the header.")       \
  X(ipv4_source_route, "ipv4-source-route", "ip", "The packet carries a source-route option (RFC 791 §3.1).")              \
  X(ip_version_invalid, "ip-version-invalid", "ip", "The version nibble is not what the layer below announced.")           \
  X(ipv4_checksum_bad, "ipv4-checksum-bad", "ip", "The IPv4 header checksum is wrong.")                                    \
  X(ipv6_header_truncated, "ipv6-header-truncated", "ip", "Fewer bytes than an IPv6 header needs.")                        \
  X(ipv6_length_past_end, "ipv6-length-past-end", "ip", "The IPv6 payload length points past the end of the frame.")       \
  X(ipv6_extension_truncated, "ipv6-extension-truncated", "ip", "The packet ends inside an IPv6 extension header.")        \
  X(ipv6_routing_type0, "ipv6-routing-type0", "ip", "A type 0 routing header, deprecated by RFC 5095.")                    \
  X(ip_fragment_overlap, "ip-fragment-overlap", "ip", "Fragments of one datagram overlap.")                                \
  X(ip_fragment_conflict, "ip-fragment-conflict", "ip", "Overlapping fragments differ in their bytes.")                    \
  X(ip_fragment_incomplete, "ip-fragment-incomplete", "ip", "A fragmented datagram was never completed.")                  \
  X(ip_fragment_past_end, "ip-fragment-past-end", "ip", "A fragment reaches past the datagram's end or 65,535 bytes.")     \
  X(ip_fragment_misaligned, "ip-fragment-misaligned", "ip", "A fragment that is not the last has no multiple of 8 bytes.") \
  X(ip_fragment_limit, "ip-fragment-limit", "ip", "A datagram has more fragments than the limit.")                         \
  X(tcp_header_truncated, "tcp-header-truncated", "tcp", "Fewer bytes than a TCP header needs.")                           \
  X(tcp_data_offset_invalid, "tcp-data-offset-invalid", "tcp", "The TCP data offset is below 20 or past the segment.")     \
  X(tcp_options_invalid, "tcp-options-invalid", "tcp", "A TCP option has a length that does not fit the header.")          \
  X(tcp_checksum_bad, "tcp-checksum-bad", "tcp", "The TCP checksum is wrong.")                                             \
  X(udp_checksum_bad, "udp-checksum-bad", "udp", "The UDP checksum is wrong.")                                             \
  X(icmp_checksum_bad, "icmp-checksum-bad", "icmp", "The ICMP checksum is wrong.")                                         \
  X(checksum_offloaded, "checksum-offloaded", "ip", "A checksum was left to the network card (partial or zero).")          \
  X(tcp_flags_invalid, "tcp-flags-invalid", "tcp", "A combination of TCP flags that no stack sends (SYN+FIN, SYN+RST).")   \
  X(tcp_overlap_conflict, "tcp-overlap-conflict", "tcp",                                                                   \
    "Two copies of the same stream bytes differ; needed_bytes is the new segment's length, had_bytes the old one's.")      \
  X(tcp_overlap_unverified, "tcp-overlap-unverified", "tcp", "Bytes were sent again that could no longer be compared.")    \
  X(tcp_gap, "tcp-gap", "tcp", "Stream bytes are missing from the capture; needed_bytes is the first hole's length.")      \
  X(tcp_out_of_window, "tcp-out-of-window", "tcp", "A segment lies far outside the receiver's window and was left out.")   \
  X(tcp_rst_out_of_window, "tcp-rst-out-of-window", "tcp", "A RST that its receiver would not accept.")                    \
  X(tcp_syn_data, "tcp-syn-data", "tcp", "A SYN carries data (TCP Fast Open or evasion).")                                 \
  X(tcp_data_after_fin, "tcp-data-after-fin", "tcp", "Data beyond a FIN.")                                                 \
  X(tcp_urgent, "tcp-urgent", "tcp", "Urgent data; it is left in line (RFC 6093).")                                        \
  X(tcp_synack_ack_invalid, "tcp-synack-ack-invalid", "tcp", "A SYN-ACK acknowledges something else than the SYN.")        \
  X(tcp_split_handshake, "tcp-split-handshake", "tcp", "Both sides sent a SYN (simultaneous open or split handshake).")    \
  X(udp_header_truncated, "udp-header-truncated", "udp", "Fewer bytes than a UDP header needs.")                           \
  X(udp_length_invalid, "udp-length-invalid", "udp", "The UDP length is below 8 or past the end of the packet.")           \
  X(icmp_header_truncated, "icmp-header-truncated", "icmp", "Fewer bytes than an ICMP header needs.")                      \
  X(sctp_header_truncated, "sctp-header-truncated", "sctp", "Fewer bytes than an SCTP header needs.")                      \
  X(gre_header_truncated, "gre-header-truncated", "gre", "Fewer bytes than the GRE header needs.")                         \
  X(timestamp_out_of_range, "timestamp-out-of-range", "capture", "A packet time before 1970 or after 2262, clamped.")      \
  X(time_step, "time-step", "capture", "Packet time steps back by more than an hour.")                                     \
  X(capture_record_broken, "capture-record-broken", "capture", "A broken capture record; needed_bytes were skipped.")      \
  X(capture_truncated, "capture-truncated", "capture", "The capture file ends inside a record.")                           \
  X(caplen_exceeds_length, "caplen-exceeds-length", "capture", "A record claims more captured bytes than the packet had.")

enum class Anomaly : uint8_t {
#define TF_ENUM(id, name, layer, text) id,
  TF_ANOMALIES(TF_ENUM)
#undef TF_ENUM
      count
};

struct AnomalyText {
  const char *name, *layer, *text;
};
inline const AnomalyText& anomaly_text(Anomaly a) {
  static const AnomalyText all[] = {
#define TF_TEXT(id, name, layer, text) {name, layer, text},
      TF_ANOMALIES(TF_TEXT)
#undef TF_TEXT
  };
  return all[static_cast<int>(a)];
}

// One oddity met in one packet. offset counts from the start of the frame; needed/had are bytes.
struct Oddity {
  Anomaly name;
  uint32_t offset, needed, had;
};

// The oddities of one packet; a packet with more than it holds loses the rest (the first ones tell the story).
struct Oddities {
  static constexpr int kMax = 8;
  Oddity at[kMax];
  int count = 0;
  void add(Anomaly name, uint32_t offset = 0, uint32_t needed = 0, uint32_t had = 0) {
    for (int i = 0; i < count; i++)
      if (at[i].name == name) return;
    if (count < kMax) at[count++] = {name, offset, needed, had};
  }
};

}  // namespace tf
