/** First bytes of protocols that hand their connection on, each at the length where it is told and one byte before. */
import type { FlowView } from "../contract.js";
import { framedUpgrades } from "./framed.js";
import { proxy } from "./proxy.js";
import { socks } from "./socks.js";

const view: FlowView = { transport: "tcp", protocol: 6, clientPort: 50000, serverPort: 9999 };
const named = (name: string) => [...framedUpgrades, socks, proxy].find((d) => d.name === name);
const hex = (text: string): Buffer => Buffer.from(text.replace(/ /g, ""), "hex");
const mysql = Buffer.concat([hex("4a0000000a"), Buffer.from("8.0.36\0")]);

test.each([
  ["mysql", "its greeting", mysql, "certain", "server"],
  ["mysql", "a greeting of version 5", Buffer.concat([hex("4a0000000a"), Buffer.from("5.7.44-log\0")]), "certain", "server"],
  ["mysql", "a greeting of two digits", Buffer.concat([hex("4a0000000a"), Buffer.from("10.11.6-MariaDB\0")]), "certain", "server"],
  ["mysql", "its first nine bytes", mysql.subarray(0, 9), "unsure", undefined],
  ["mysql", "a packet numbered 1", Buffer.concat([hex("4a0000010a"), Buffer.from("8.0.36\0")]), "no", undefined],
  ["mysql", "another protocol version", Buffer.concat([hex("4a00000009"), Buffer.from("8.0.36\0")]), "no", undefined],
  ["ldap", "a bind request", hex("300c020101600702010304008000"), "certain", "client"],
  ["ldap", "a bind response", hex("300c02010161070a010004000400"), "certain", "server"],
  ["ldap", "with a long length", hex("3084 0000000c 020101 60 0702010304008000"), "certain", "client"],
  ["ldap", "its first four bytes", hex("300c0201"), "unsure", undefined],
  ["ldap", "a sequence of something else", hex("300c040101600702010304008000"), "no", undefined],
  ["postgresql", "SSLRequest", hex("00000008 04d2162f"), "certain", "client"],
  ["postgresql", "GSSENCRequest", hex("00000008 04d21630"), "certain", "client"],
  ["postgresql", "a startup message", hex("00000029 00030000 75736572"), "certain", "client"],
  ["postgresql", "seven bytes", hex("00000008 04d216"), "unsure", undefined],
  ["postgresql", "another code", hex("00000008 04d2162e"), "no", undefined],
  ["rdp", "a connection request with a cookie", hex("0300002b 26 e0 0000 0000 00 43"), "certain", "client"],
  ["rdp", "a connection request that negotiates", hex("03000013 0e e0 0000 0000 00 01"), "certain", "client"],
  ["rdp", "a connection confirm", hex("03000013 0e d0 0000 1234 00 02"), "certain", "server"],
  ["rdp", "a connection request, cut", hex("0300002b 26 e0 0000 0000 00"), "unsure", undefined],
  ["rdp", "a connection request of X.224 alone, which others send too", hex("0300000b 06 e0 0000 0000 00"), "no", undefined],
  ["rdp", "a connection request of S7", hex("03000016 11 e0 0000 0001 00 c0010ac1020100c2020102"), "no", undefined],
  ["rdp", "ten bytes", hex("0300002b 26 e0 0000 0000"), "unsure", undefined],
  ["rdp", "lengths that disagree", hex("0300002b 27 e0 0000 0000 00"), "no", undefined],
  ["socks", "version 5, one method", hex("050100"), "certain", "client"],
  ["socks", "version 5, two methods and a request", hex("050200020501"), "certain", "client"],
  ["socks", "version 5, a method that is none", hex("05010a"), "no", undefined],
  ["socks", "version 5, ten methods", hex(`050a${"00".repeat(10)}`), "certain", "client"],
  ["socks", "version 5, more methods than there are", hex(`050b${"00".repeat(11)}`), "no", undefined],
  ["socks", "version 5, no method", hex("050005"), "no", undefined],
  ["proxy", "a line for IPv4", Buffer.from("PROXY TCP4 192.0.2.1 192.0.2.2 5000 80\r\nGET"), "certain", "client"],
  ["proxy", "a line for nobody", Buffer.from("PROXY UNKNOWN\r\n"), "certain", "client"],
  ["proxy", "a line that has not ended", Buffer.from("PROXY TCP6 2001:db8::1 "), "unsure", undefined],
  ["proxy", "a line without ports", Buffer.from("PROXY TCP4 192.0.2.1 192.0.2.2\r\n"), "no", undefined],
  ["proxy", "a line of 107 bytes and no end", Buffer.from(`PROXY TCP4 ${"1".repeat(200)}`), "no", undefined],
  ["proxy", "version 2", hex("0d0a0d0a000d0a515549540a 21 11 000c c0000201 c0000202 1388 0050"), "certain", "client"],
  ["proxy", "version 2, of the proxy itself", hex("0d0a0d0a000d0a515549540a 20 00 0000"), "certain", "client"],
  ["proxy", "version 2, its first bytes", hex("0d0a0d0a000d0a5155"), "unsure", undefined],
  ["proxy", "a version 3", hex("0d0a0d0a000d0a515549540a 31 11 000c"), "no", undefined],
  ["socks", "version 4", hex("0401 0050 c0000201 00"), "certain", "client"],
  ["socks", "version 4, and more before the answer", hex("0401 0050 c0000201 00 47"), "no", undefined],
  ["socks", "version 4a, a name that is none", hex("0401 017c 00000012 00 02000204"), "no", undefined],
] as const)("%s: %s", (name, _what, bytes, sure, from) => {
  const v = named(name)?.probe(bytes, view);
  expect([v?.sure, v?.from]).toEqual([sure, from]);
});
