/** Why we differ from another tool, where we know: a rule is a pattern over (oracle, field, file, whose, value). The first that fits counts. */
interface Rule {
  oracle?: RegExp;
  field?: RegExp;
  file?: RegExp;
  what?: "MISSING" | "EXTRA";
  value?: RegExp;
  reason: string;
}
const RULES: readonly Rule[] = [
  { file: /\.lz4$/, reason: "lz4 is not read: the file is refused with a sentence that says so" },
  {
    oracle: /^tshark/,
    file: /4KHttpRequests/,
    what: "EXTRA",
    reason: "tshark 4.0 lists 129 of the requests, all of them ours too; the others are there",
  },
  { file: /sctp-www/, reason: "HTTP over SCTP is not read" },
  { file: /IPcomp/, reason: "the payload is compressed (IPComp)" },
  {
    file: /DnsEdit|sll2|sample-rfc1035escape/,
    field: /dns/,
    reason: "names with odd bytes are `\\DDD` and `\\.` here (RFC 1035 §5.1); tshark prints raw bytes, and takes mDNS for DNS by content",
  },
  { oracle: /^tshark$/, file: /malcolm__http\.trace/, reason: "two Host headers: tshark joins them, `http.request.headers` keeps both" },
  { oracle: /^tshark$/, file: /bug-5437-02/, reason: "a space in the target: tshark's ends there, ours at the version" },
  {
    oracle: /^tshark$/,
    file: /zeek__doc-traces-quickstart|zeek__tcp-http-with-padding|http-manipulated|detect-pcre-04|tcp-seq-issue|uricontent-05|lines-randomized2|atomic-frag|TwoHttpResponses/,
    what: "EXTRA",
    reason: "requests and answers after losses, reordering or midstream, which tshark 4.0 does not put together",
  },
  {
    oracle: /^tshark$/,
    field: /^http\.status/,
    what: "EXTRA",
    reason: "answers whose request is not in the capture, or whose head came in pieces",
  },
  {
    oracle: /^tshark$/,
    file: /http_on_sip_port|false_positives|bug-6402|vxlan|ssl-and-ssh-using-sslh|ndpi__ssh\.pcap|anydesk|google_ssl/,
    what: "EXTRA",
    reason: "found by content on a port, or in a tunnel, where tshark expects something else",
  },
  {
    oracle: /^tshark$/,
    file: /rdp|postgresql|fingerprint-alert/,
    what: "EXTRA",
    reason: "TLS behind STARTTLS of a protocol that tshark does not follow there",
  },
  { file: /tls_cipher_lens/, reason: "the extension list ends early: JA3 is made of the extensions that are whole, tshark's of none" },
  { file: /gnutella/, field: /ja3s|ja4/, reason: "a ServerHello behind `Upgrade: TLS` of Gnutella is not followed" },
  { oracle: /packets$/, file: /basic-test017/, reason: "tshark shows custom blocks of pcapng as packets; the file has none" },
  { oracle: /packets$/, file: /destunreach-no-context|dnscap__icmp/, reason: "tshark 4.0.17 stopped there; capinfos counts as we do" },
  {
    oracle: /flows$/,
    file: /teredo|6in4tunnel|arkime_synthetic|capwap/,
    reason:
      "the flow is that of the innermost IP header; theirs is the tunnel's, or an inner one of a tunnel that is not opened (CAPWAP, VXLAN-GPE)",
  },
  {
    oracle: /flows$/,
    file: /dns_fragmented|ip_fragmented|302-frag|frag/,
    reason: "every fragment is a packet of its flow here; theirs count the datagram, or only the first fragment",
  },
  { oracle: /flows$/, file: /fuzz/, reason: "a fuzzed IPv6 header chain, which nDPI reads as TCP behind headers that we take as broken" },
  {
    oracle: /^ja[34]\//,
    file: /quic|doq|snapchat|sites|dlt_ppp|false_pos|cloudflare-warp\.pcap$/,
    what: "MISSING",
    value: /^(q|[0-9a-f]{32})/,
    reason: "QUIC is not decoded",
  },
  { oracle: /^ja3\//, file: /dtls|stun|anyconnect|capwap|openvpn/, reason: "DTLS, OpenVPN and CAPWAP are not decoded" },
  { oracle: /^ja3\/arkime/, file: /synthetic|quicie/, reason: "QUIC and OpenVPN are not decoded" },
  { oracle: /^ja3\/ndpi/, file: /multiple_synack/, reason: "two SYN-ACKs with different sequence numbers: nDPI takes the other's bytes" },
  { oracle: /^ja4\/arkime/, file: /openvpn/, reason: "OpenVPN is not decoded" },
  { oracle: /^ja4\/ndpi/, file: /capwap/, reason: "CAPWAP is not opened" },
  {
    oracle: /^ja4\/suricata/,
    file: /bug-5713/,
    reason: "no signature algorithms: JA4's text ends the third part without `_` there, as FoxIO's tools do; Suricata writes it",
  },
  {
    oracle: /^ndpi flows/,
    file: /ndpi__stun\.pcap/,
    value: /19::/,
    reason: "nDPI prints the address `2600:1900:4160:5999:0:19::` with `::` twice",
  },
];

/** JA4 without the characters for SNI and ALPN: version, counts and both hashes. */
const withoutAlpn = (ja4: string): string => `${ja4.slice(0, 3)} ${ja4.slice(4, 8)} ${ja4.slice(10)}`;

/** `own`: what we have of this field in this file. */
export function reasonFor(
  oracle: string,
  field: string,
  file: string,
  what: "MISSING" | "EXTRA",
  value: string,
  own: ReadonlySet<string>,
): string | undefined {
  if (field === "tls.ja4" && [...own].some((o) => withoutAlpn(o) === withoutAlpn(value)))
    return "the tool's own characters for ALPN (nDPI: the first two) or SNI (nDPI: `d` where it has a name from elsewhere); counts and both hashes are equal";
  return RULES.find(
    (r) =>
      (r.oracle?.test(oracle) ?? true) &&
      (r.field?.test(field) ?? true) &&
      (r.file?.test(file) ?? true) &&
      (r.what === undefined || r.what === what) &&
      (r.value?.test(value) ?? true),
  )?.reason;
}
