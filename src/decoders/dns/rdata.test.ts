/** Record data in presentation format, a case for each type that is known. */
import { rdata } from "./rdata.js";

const NAME = "036e7331076578616d706c6500"; // ns1.example
const hex = (text: string): string => Buffer.from(text).toString("hex");
const string = (text: string): string => Buffer.from([text.length]).toString("hex") + hex(text);
const show = (type: number, data: string): string => {
  // Behind a header of 12 bytes, as in a message: pointers count from its beginning.
  const message = Buffer.from("00".repeat(12) + data, "hex");
  const { text, bad } = rdata(type, message, 12, message.length);
  return bad ? `bad: ${text}` : text;
};

test.each([
  ["A", 1, "c0000201", "192.0.2.1"],
  ["A of three bytes", 1, "c00002", "\\# 3 c00002"],
  ["NS", 2, NAME, "ns1.example"],
  ["CNAME", 5, NAME, "ns1.example"],
  ["PTR", 12, NAME, "ns1.example"],
  ["DNAME", 39, NAME, "ns1.example"],
  ["SOA", 6, `${NAME}${NAME}00000001000000020000000300000004000000ff`, "ns1.example ns1.example 1 2 3 4 255"],
  ["HINFO", 13, string("cpu") + string("os"), '"cpu" "os"'],
  ["MX", 15, `000a${NAME}`, "10 ns1.example"],
  ["AFSDB", 18, `0001${NAME}`, "1 ns1.example"],
  ["KX", 36, `0001${NAME}`, "1 ns1.example"],
  ["TXT", 16, string('a"b\\') + string("\u0007"), '"a\\"b\\\\" "\\007"'],
  ["SPF", 99, string("v=spf1 -all"), '"v=spf1 -all"'],
  ["RP", 17, NAME + NAME, "ns1.example ns1.example"],
  ["X25", 19, string("311061700956"), '"311061700956"'],
  ["ISDN", 20, string("150862028003217") + string("004"), '"150862028003217" "004"'],
  ["RRSIG", 46, `00010802000151806740000067300000abcd${NAME}0102`, "A 8 2 86400 20241122035232 20241110003616 43981 ns1.example AQI="],
  ["DNSKEY", 48, "0101030801020304", "257 3 8 AQIDBA=="],
  ["KEY", 25, "0100030501", "256 3 5 AQ=="],
  ["CDNSKEY", 60, "0101030d01", "257 3 13 AQ=="],
  ["PX", 26, `000a${NAME}${NAME}`, "10 ns1.example ns1.example"],
  ["AAAA", 28, "20010db8000000000000000000000001", "2001:db8::1"],
  ["AAAA of four bytes", 28, "20010db8", "\\# 4 20010db8"],
  ["LOC", 29, "001216138b3cf018810cbce0009895b8", "52 22 23.000 N 4 53 32.000 E -2.00m 1m 10000m 10m"],
  [
    "LOC in the south-west, to a centimetre",
    29,
    "0050101074c30fe87ef343200098967f",
    "52 22 23.000 S 4 53 32.000 W -0.01m 0.05m 0.01m 0.01m",
  ],
  ["LOC of a version that is none", 29, "011216138b3cf018810cbce0009895b8", "bad: \\# 16 011216138b3cf018810cbce0009895b8"],
  ["APL", 42, "00011503c0a82000011c83c0a82600022002fe80", "1:192.168.32.0/21 !1:192.168.38.0/28 2:fe80::/32"],
  ["HIP", 55, `0202000300aa010203${NAME}`, "2 00aa AQID ns1.example"],
  ["NID", 104, "000a00144fffff20ee64", "10 0014:4fff:ff20:ee64"],
  ["L32", 105, "000a0a010200", "10 10.1.2.0"],
  ["L64", 106, "000a20010db800001234", "10 2001:0db8:0000:1234"],
  ["SRV", 33, `0001000201bb${NAME}`, "1 2 443 ns1.example"],
  ["NAPTR", 35, `0064000a${string("u")}${string("E2U+sip")}${string("!^.*$!sip:x@y!")}00`, '100 10 "u" "E2U+sip" "!^.*$!sip:x@y!" .'],
  ["CERT", 37, "00010002030405", "1 2 3 BAU="],
  ["DS", 43, "abcd0802ff00", "43981 8 2 ff00"],
  ["CDS", 59, "abcd0802ff00", "43981 8 2 ff00"],
  ["TA", 32768, "abcd0802ff00", "43981 8 2 ff00"],
  ["DLV", 32769, "abcd0802ff00", "43981 8 2 ff00"],
  ["SSHFP", 44, "0402ff00", "4 2 ff00"],
  ["NSEC", 47, `${NAME}0006400100000003`, "ns1.example A MX RRSIG NSEC"],
  ["NSEC without types", 47, NAME, "ns1.example"],
  ["DHCID", 49, "000102", "AAEC"],
  ["NSEC3", 50, "0101000a02aabb0501020304050006400000000002", "1 1 10 aabb 04106105 A RRSIG"],
  ["NSEC3PARAM", 51, "0100000000", "1 0 0 -"],
  ["TLSA", 52, "030101ff", "3 1 1 ff"],
  ["SMIMEA", 53, "030101ff", "3 1 1 ff"],
  ["NINFO", 56, string("x"), '"x"'],
  ["TALINK", 58, NAME + NAME, `\\# 26 ${NAME}${NAME}`],
  ["OPENPGPKEY", 61, "99010d", "mQEN"],
  ["CSYNC", 62, "0000004200030004600000 08".replace(" ", ""), "66 3 A NS AAAA"],
  ["ZONEMD", 63, "000000010101ff", "1 1 1 ff"],
  ["SVCB as an alias", 64, `0000${NAME}`, "0 ns1.example"],
  [
    "HTTPS with parameters",
    65,
    `0001000000000400010004000100060268330268320002000000030002 01bb000400 04c0000201000500020102000600 1020010db8000000000000000000000001ff00000161`.replaceAll(
      " ",
      "",
    ),
    '1 . mandatory=alpn,ipv4hint alpn="h3,h2" no-default-alpn port=443 ipv4hint=192.0.2.1 ech=AQI= ipv6hint=2001:db8::1 key65280="a"',
  ],
  ["LP", 107, `000a${NAME}`, "10 ns1.example"],
  ["EUI48", 108, "00005e005323", "00-00-5e-00-53-23"],
  ["EUI64", 109, "00005e0053230001", "00-00-5e-00-53-23-00-01"],
  ["URI", 256, `000a0001${hex("https://x.example/")}`, '10 1 "https://x.example/"'],
  ["CAA", 257, `00${string("issue")}${hex("ca.example")}`, '0 issue "ca.example"'],
  ["AVC", 258, string("x"), '"x"'],
  ["a type that is not known", 65534, "0102", "\\# 2 0102"],
  ["nothing at all", 65534, "", "\\# 0"],
] as [string, number, string, string][])("%s", (_name, type, data, text) => {
  expect(show(type, data)).toBe(text);
});

test("what does not fit its type stands as bytes and is bad", () => {
  for (const [type, data] of [
    [15, "00"],
    [16, "05616263"],
    [2, "036e73"],
    [2, `${NAME}00`],
    [33, `000100020`.padEnd(10, "0")],
    [46, "0001"],
    [65, "00010000010004"],
  ] as const)
    expect(show(type, data)).toBe(`bad: \\# ${data.length / 2} ${data}`);
});
test("a name in record data may point to any name before it", () => {
  const message = Buffer.from(`${"00".repeat(12)}${NAME}000ac00c`, "hex");
  expect(rdata(15, message, 25, message.length)).toEqual({ text: "10 ns1.example", bad: false });
});
