/**
 * Captures of very many flows in which little happens, for `make bench CAPTURE=OUT`: what the memory of open flows is measured by.
 * `node scripts/generate-flood.ts OUT scan|dns|requests FLOWS`: a SYN to another port, a query that nobody answers, an HTTP request of which
 * only the client's side was captured; 20 µs from packet to packet, each flow from an address of its own. The same arguments give the same bytes.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { type Ends, PCAP_HEAD, recordHead, tcpFrame, udpFrame } from "../test/support/packets.ts";

const SYN = 2;
const ACK = 16;
const PSH = 8;
const [out, kind, flows = "250000"] = process.argv.slice(2);
const SERVER = 0xc0000235;
const HEADERS = `Host: www.example\r\nUser-Agent: ${"a browser ".repeat(12)}\r\nAccept: ${"text/html,".repeat(12)}\r\nCookie: id=${"0".repeat(64)}\r\n\r\n`;

function query(n: number): Buffer {
  const head = Buffer.from("000001000001000000000000", "hex");
  head.writeUInt16BE(n & 0xffff, 0);
  const name = Math.imul(n, 2654435761) >>> 0;
  return Buffer.concat([head, Buffer.from(`\x08${name.toString(16).padStart(8, "0")}\x07example\0\0\x01\0\x01`, "latin1")]);
}
const KINDS: Readonly<Record<string, (e: Ends, n: number) => Buffer[]>> = {
  scan: (e, n) => [tcpFrame({ ...e, serverPort: 1 + ((n * 7) % 65535) }, true, SYN, n, 0)],
  dns: (e, n) => [udpFrame({ ...e, serverPort: 53 }, true, query(n))],
  requests: (e, n) => [
    tcpFrame(e, true, SYN, 1000, 0),
    tcpFrame(e, true, ACK, 1001, 5001),
    tcpFrame(e, true, ACK | PSH, 1001, 5001, Buffer.from(`GET /page/${n} HTTP/1.1\r\n${HEADERS}`)),
  ],
};
const frames = KINDS[kind];
if (!out || !frames) throw new Error(`usage: generate-flood.ts OUT ${Object.keys(KINDS).join("|")} [FLOWS]`);

const fd = openSync(out, "w");
writeSync(fd, PCAP_HEAD);
let pending: Buffer[] = [];
let micros = 0;
function flush(): void {
  const all = Buffer.concat(pending);
  for (let at = 0; at < all.length; ) at += writeSync(fd, all, at);
  pending = [];
}
for (let n = 0; n < Number(flows); n++) {
  const ends = { client: 0x0a000000 + n, server: SERVER, clientPort: 1024 + (n % 60000), serverPort: 80 };
  for (const f of frames(ends, n)) {
    pending.push(recordHead(f, 1_700_000_000 + Math.floor(micros / 1e6), micros % 1_000_000), f);
    micros += 20;
  }
  if (pending.length > 50_000) flush();
}
flush();
closeSync(fd);
