/** Names of numbers below the application: IP protocols (IANA, 2026-11), ethertypes, link types. Unknown numbers survive as numbers. */
const IP: Readonly<Record<number, string>> = {
  0: "hopopt",
  1: "icmp",
  2: "igmp",
  4: "ipv4",
  6: "tcp",
  8: "egp",
  9: "igp",
  17: "udp",
  27: "rdp",
  33: "dccp",
  41: "ipv6",
  43: "ipv6-route",
  44: "ipv6-frag",
  46: "rsvp",
  47: "gre",
  50: "esp",
  51: "ah",
  58: "ipv6-icmp",
  59: "ipv6-nonxt",
  60: "ipv6-opts",
  88: "eigrp",
  89: "ospf",
  97: "etherip",
  103: "pim",
  108: "ipcomp",
  112: "vrrp",
  115: "l2tp",
  124: "isis",
  132: "sctp",
  135: "mobility-header",
  136: "udplite",
  137: "mpls-in-ip",
  139: "hip",
};
export const protocolName = (n: number): string => IP[n] ?? `ip-proto-${n}`;

const ETHERTYPE: Readonly<Record<number, string>> = {
  2048: "ipv4",
  2054: "arp",
  32821: "rarp",
  34525: "ipv6",
  33024: "vlan",
  34984: "qinq",
  33079: "ipx",
  34887: "mpls",
  34888: "mpls",
  34915: "pppoe-discovery",
  34916: "pppoe",
  34824: "ethernet-flow-control",
  34825: "slow-protocols",
  34958: "eapol",
  34969: "realtek",
  35020: "lldp",
  35041: "homeplug",
  35045: "macsec",
  35063: "ptp",
  35074: "cfm",
  36864: "loopback",
  8192: "cdp",
  8195: "vtp",
  0: "none",
};
/** The name of a frame without IP, from the number that the native side counts it under. */
export function frameName(n: number): string {
  const value = n & 0xffff;
  switch (n >>> 16) {
    case 0:
      return ETHERTYPE[value] ?? `ethertype-0x${value.toString(16).padStart(4, "0")}`;
    case 1:
      return value === 0x42
        ? "stp"
        : value === 0xe0
          ? "ipx"
          : value === 0xf0
            ? "netbeui"
            : value === 0xfe
              ? "osi"
              : `llc-0x${value.toString(16).padStart(2, "0")}`;
    case 2:
      return `family-${value}`;
    case 3:
      return `802.11-${["management", "control", "data", "extension"][value >> 8] ?? "unknown"}`;
    case 4:
      return `nlpid-0x${value.toString(16).padStart(2, "0")}`;
    case 5:
      return `ppp-0x${value.toString(16).padStart(4, "0")}`;
    case 6:
      return "netlink";
    default:
      return `frame-0x${n.toString(16)}`;
  }
}

const LINKTYPE: Readonly<Record<number, string>> = {
  0: "NULL",
  1: "ETHERNET",
  6: "TOKEN_RING",
  8: "SLIP",
  9: "PPP",
  10: "FDDI",
  12: "RAW",
  14: "RAW",
  50: "PPP_HDLC",
  51: "PPP_ETHER",
  100: "ATM_RFC1483",
  101: "RAW",
  104: "C_HDLC",
  105: "IEEE802_11",
  107: "FRELAY",
  108: "LOOP",
  113: "LINUX_SLL",
  119: "PRISM",
  127: "RADIOTAP",
  138: "APPLE_IP_OVER_IEEE1394",
  140: "MTP2",
  147: "USER0",
  149: "USER2",
  163: "AVS",
  178: "JUNIPER_ETHER",
  189: "USB_LINUX",
  192: "PPI",
  195: "802_15_4_WITHFCS",
  227: "CAN_SOCKETCAN",
  228: "IPV4",
  229: "IPV6",
  239: "NFLOG",
  253: "NETLINK",
  258: "PKTAP",
  276: "LINUX_SLL2",
};
export const linktypeName = (n: number): string => LINKTYPE[n] ?? `LINKTYPE_${n}`;
/** By name (`ETHERNET`, `EN10MB` and `DLT_`/`LINKTYPE_` prefixes too) or number; undefined: none is called so. */
export function linktypeNumber(name: string): number | undefined {
  if (/^\d+$/.test(name)) return Number(name);
  const plain = name.toUpperCase().replace(/^(DLT|LINKTYPE)_/, "");
  if (plain === "EN10MB") return 1;
  if (/^\d+$/.test(plain)) return Number(plain);
  const found = Object.entries(LINKTYPE).find(([, n]) => n === plain);
  return found && Number(found[0]);
}
