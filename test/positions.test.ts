/** Where a record says that something happened: the packet that brought it, seen through the whole way of a capture. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decode, recordsOf } from "./support/decode.js";
import { PCAP_HEAD, recordHead, tcpFrame } from "./support/packets.js";

const ENDS = { client: 0x0a000001, server: 0x0a000002, clientPort: 40000, serverPort: 8080 };
const [SYN, FIN, ACK] = [2, 1, 16];
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "threatflow-positions-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function told(frames: Buffer[]): Promise<Record<string, any>[]> {
  const path = join(dir, "capture.pcap");
  writeFileSync(path, Buffer.concat([PCAP_HEAD, ...frames.flatMap((f, n) => [recordHead(f, 1000 + n, 0), f])]));
  return recordsOf(await decode(path), "http");
}
const REQUEST = Buffer.from("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
const opening = [
  tcpFrame(ENDS, true, SYN, 99, 0),
  tcpFrame(ENDS, false, SYN | ACK, 499, 100),
  tcpFrame(ENDS, true, ACK, 100, 500, REQUEST),
];

test("a response without a length ends with its side; its last byte is its end", async () => {
  const body = Buffer.from("HTTP/1.1 200 OK\r\n\r\nabc");
  const records = await told([
    ...opening,
    tcpFrame(ENDS, false, ACK, 500, 100 + REQUEST.length, body),
    tcpFrame(ENDS, true, ACK, 100 + REQUEST.length, 500 + body.length),
    tcpFrame(ENDS, false, FIN | ACK, 500 + body.length, 100 + REQUEST.length),
  ]);
  expect(records).toMatchObject([{ threatflow: { packet: 3 }, http: { response: { body: { bytes: 3 } } } }]);
  expect(records[0].event.end).toBe("1970-01-01T00:16:43.000000000Z");
});

test("a side that ended before its protocol was known has ended for it too", async () => {
  const body = Buffer.from("HTTP/1.1 200 OK\r\n\r\nabc");
  const records = await told([
    tcpFrame(ENDS, true, SYN, 99, 0),
    tcpFrame(ENDS, false, SYN | ACK, 499, 100),
    tcpFrame(ENDS, true, FIN | ACK, 100, 500),
    tcpFrame(ENDS, false, ACK, 500, 101, body),
    tcpFrame(ENDS, false, FIN | ACK, 500 + body.length, 101),
    tcpFrame(ENDS, true, ACK, 101, 501 + body.length),
  ]);
  expect(records).toMatchObject([{ http: { response: { status_code: 200, body: { bytes: 3 } } } }]);
  expect(records[0].threatflow.packet).toBe(4);
});

test("bytes that are missing at a body's end end it where the hole was seen", async () => {
  const body = Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab");
  const next = Buffer.from("HTTP/1.1 204 No Content\r\n\r\n");
  const acked = 100 + 2 * REQUEST.length;
  const records = await told([
    ...opening,
    tcpFrame(ENDS, true, ACK, 100 + REQUEST.length, 500, REQUEST),
    tcpFrame(ENDS, false, ACK, 500, acked, body),
    tcpFrame(ENDS, false, ACK, 503 + body.length, acked, next),
    tcpFrame(ENDS, true, ACK, acked, 503 + body.length + next.length),
    tcpFrame(ENDS, true, ACK, acked, 503 + body.length + next.length),
  ]);
  expect(records).toMatchObject([
    { http: { response: { status_code: 200, body: { bytes: 5 } } } },
    { threatflow: { packet: 4 }, http: { response: { status_code: 204 } } },
  ]);
  for (const r of records) expect(r.event.end).toBe("1970-01-01T00:16:45.000000000Z");
});
