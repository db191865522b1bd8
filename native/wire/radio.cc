// 802.11, and the headers that capture tools put before it.
#include "bytes.h"
#include "layers.h"

namespace tf {

// IEEE 802.11-2020 §9.2: only unprotected data frames are opened.
LinkResult ieee80211(Cursor& c, Packet& out, bool fcs) {
  if (!c.has(10)) return cut(10);
  const uint8_t* p = c.p;
  uint32_t type = p[0] >> 2 & 3, subtype = p[0] >> 4;
  bool to_ds = p[1] & 1, from_ds = p[1] & 2, order = p[1] & 0x80, qos = subtype & 8;
  if (type != 2 || subtype & 4 || p[1] & 0x40) {
    frame(out, 0x30000 | type << 8 | subtype);
    return at(Layer::done);
  }
  uint32_t header = 24u + (to_ds && from_ds ? 6 : 0) + (qos ? 2 : 0) + (qos && order ? 4 : 0);
  if (!c.has(header)) return cut(header);
  const uint8_t *da = p + 4, *sa = p + 10;
  if (to_ds) da = p + 16, sa = from_ds ? p + 24 : p + 10;
  else if (from_ds) sa = p + 16;
  memcpy(out.mac_destination, da, 6);
  memcpy(out.mac_source, sa, 6);
  out.has_mac = true;
  bool amsdu = qos && p[header - (order ? 6 : 2)] & 0x80;
  if (fcs && c.wire >= header + 4) c.limit(c.wire - 4);
  c.take(header);
  if (amsdu) {
    if (!c.has(14)) return cut(14);
    memcpy(out.mac_destination, c.p, 6);
    memcpy(out.mac_source, c.p + 6, 6);
    uint32_t len = be16(c.p + 12);
    c.take(14);
    c.limit(len);
  } else if (c.has(8) && be16(c.p) == 0 && c.p[2] == 0xaa) {
    c.take(2);  // some radios align the payload to four bytes
  }
  return at(Layer::llc);
}

LinkResult radiotap(Cursor& c, Packet& out) {
  if (!c.has(8)) return cut(8);
  uint32_t len = le16(c.p + 2);
  if (len < 8 || !c.has(len)) return cut(len < 8 ? 8 : len);
  // The flags field (bit 1) says whether an FCS stands at the end; padding is found by its zeros.
  uint32_t present = le32(c.p + 4), pos = 8;
  for (uint32_t word = present; word & 0x80000000u && pos + 4 <= len; pos += 4) word = le32(c.p + pos);
  bool fcs = false;
  if (present & 1) pos = ((pos + 7) & ~7u) + 8;
  if (present & 2 && pos < len) fcs = c.p[pos] & 0x10;
  c.take(len);
  return ieee80211(c, out, fcs);
}

LinkResult ppi(Cursor& c, Packet& out) {
  if (!c.has(8)) return cut(8);
  uint32_t len = le16(c.p + 2), dlt = le32(c.p + 4);
  if (len < 8 || !c.has(len)) return cut(len < 8 ? 8 : len);
  bool fcs = false;  // PPI field 2 is 802.11-Common; bit 0 of its flags tells of an FCS
  for (uint32_t pos = 8; pos + 4 <= len;) {
    uint32_t type = le16(c.p + pos), size = le16(c.p + pos + 2);
    if (type == 2 && size >= 10 && pos + 14 <= len) fcs = le16(c.p + pos + 12) & 1;
    pos += 4 + size;
  }
  c.take(len);
  if (dlt == 105) return ieee80211(c, out, fcs);
  if (dlt == 192) return at(Layer::done);
  return link_layer(dlt, c, out);
}

LinkResult prism(Cursor& c, Packet& out) {
  if (!c.has(8)) return cut(8);
  uint32_t cookie = be32(c.p);
  uint32_t len = cookie == 0x80211001 || cookie == 0x80211002 ? be32(c.p + 4) : le32(c.p + 4);
  if (len < 8 || !c.has(len)) return cut(len < 8 ? 8 : len);
  c.take(len);
  return ieee80211(c, out, false);
}

}  // namespace tf
