/**
 * Input made to exhaust: very many half-open flows, holes, fragments that never complete, messages that point in circles or claim to be huge. Each is
 * put before and behind a real conversation: that one is still decoded, every packet is accounted for, memory stays bounded, and what was
 * given up is counted. Work must grow no faster than the packets do: four times the attack, at most some six times the time.
 */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decode, recordsOf } from "./support/decode.ts";
import { type Ends, recordHead, tcpFrame, udpFrame } from "./support/packets.ts";

const FIXTURE = readFileSync(join(import.meta.dirname, "..", "fixtures", "pcaps", "mixed", "everything.pcap"));
/** Times of an attack begin behind the fixture's. */
const START = FIXTURE.readUInt32LE(24) + 3600;

type Packets = (n: number) => Generator<Buffer>;
const ends = (client: number, serverPort: number): Ends => ({
  client: 0x0a000000 + client,
  server: 0xc0000201,
  clientPort: 40000,
  serverPort,
});
const tcp = (client: number, fromClient: boolean, port: number, seq: number, ack: number, flags: number, payload?: Buffer): Buffer =>
  tcpFrame(ends(client, port), fromClient, flags, seq, ack, payload);
const udp = (client: number, fromClient: boolean, port: number, payload: Buffer): Buffer =>
  udpFrame(ends(client, port), fromClient, payload);
function* connected(port: number, bytes: Buffer, fromClient = true, piece = 1400): Generator<Buffer> {
  yield tcp(1, true, port, 100, 0, 2);
  yield tcp(1, false, port, 500, 101, 18);
  yield tcp(1, true, port, 101, 501, 16);
  const base = fromClient ? 101 : 501;
  for (let at = 0; at < bytes.length; at += piece) {
    yield tcp(1, fromClient, port, base + at, fromClient ? 501 : 101, 24, bytes.subarray(at, at + piece));
    if ((at / piece) % 2) yield tcp(1, !fromClient, port, fromClient ? 501 : 101, base + Math.min(bytes.length, at + piece), 16);
  }
}
const handshake = (type: number, body: Buffer): Buffer =>
  Buffer.concat([Buffer.from([type, body.length >> 16, (body.length >> 8) & 255, body.length & 255]), body]);
function tlsRecords(bytes: Buffer): Buffer {
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 16000) {
    const part = bytes.subarray(at, at + 16000);
    out.push(Buffer.from([22, 3, 3, part.length >> 8, part.length & 255]), part);
  }
  return Buffer.concat(out);
}
const serverHello = handshake(2, Buffer.concat([Buffer.from([3, 3]), Buffer.alloc(32, 7), Buffer.from([0, 0xc0, 0x2f, 0])]));

const ATTACKS: Record<
  string,
  { n: number; packets: Packets; expect?: (limits: Record<string, number>, records: Record<string, number>) => void }
> = {
  "half-open connections, each from another address": {
    n: 150_000,
    *packets(n) {
      for (let i = 0; i < n; i++) yield tcp(i + 10, true, 80, 1000, 0, 2);
    },
  },
  "flows that open with data and never end": {
    n: 100_000,
    *packets(n) {
      for (let i = 0; i < n; i++) yield tcp(i + 10, true, 80, 1000, 1, 24, Buffer.from("GET / HTTP/1.1\r\nHost: x"));
    },
  },
  "one flow with a hole behind every byte": {
    n: 60_000,
    *packets(n) {
      yield* connected(80, Buffer.alloc(0));
      for (let i = 0; i < n; i++) yield tcp(1, true, 80, 103 + 2 * i, 501, 24, Buffer.from("x"));
    },
  },
  "the same hole in front of segments in falling order": {
    n: 30_000,
    *packets(n) {
      yield* connected(80, Buffer.alloc(0));
      for (let i = n; i > 0; i--) yield tcp(1, true, 80, 101 + 3 * (i % 15000), 501, 24, Buffer.from("xy"));
    },
  },
  "fragments that never complete": {
    n: 100_000,
    *packets(n) {
      for (let i = 0; i < n; i++) {
        const f = udp(10 + (i >> 15), true, 53, Buffer.alloc(24));
        f.writeUInt16BE(i & 0xffff, 18);
        f.writeUInt16BE(0x2000 | ((i % 3) * 4), 20);
        yield f;
      }
    },
  },
  "one datagram in overlapping fragments": {
    n: 20_000,
    *packets(n) {
      for (let i = 0; i < n; i++) {
        const f = udp(10, true, 53, Buffer.alloc(40, i & 255));
        f.writeUInt16BE(7, 18);
        f.writeUInt16BE(0x2000 | ((i * 2) % 8000), 20);
        yield f;
      }
    },
  },
  "requests, pipelined without an answer": {
    n: 10_000,
    *packets(n) {
      yield* connected(80, Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(n)));
    },
    expect: (_limits, records) => expect(records.http).toBe(14 + 10_000),
  },
  "a header that never ends": {
    n: 4000,
    *packets(n) {
      yield* connected(80, Buffer.from(`GET / HTTP/1.1\r\nX: ${"a".repeat(1000 * n)}`));
    },
  },
  "chunks of one byte": {
    n: 100_000,
    *packets(n) {
      yield* connected(
        80,
        Buffer.from(`POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${"1\r\nx\r\n".repeat(n)}0\r\n\r\n`),
      );
    },
  },
  "names that point from one to the next": {
    n: 3000,
    *packets(n) {
      // Each question's name is a label and a pointer to the question before.
      const names: Buffer[] = [Buffer.from([1, 97, 0, 0, 1, 0, 1])];
      let at = 12;
      for (let i = 1; i < 200; i++) {
        names.push(Buffer.from([1, 98, 0xc0 | (at >> 8), at & 255, 0, 1, 0, 1]));
        at += names[i - 1].length;
      }
      const message = Buffer.concat([Buffer.from([0, 1, 1, 0, 0, 200, 0, 0, 0, 0, 0, 0]), ...names]);
      for (let i = 0; i < n; i++) yield udp(1, true, 53, message);
    },
  },
  "a name that points at itself, in every answer": {
    n: 5000,
    *packets(n) {
      const loop = Buffer.from([
        0,
        1,
        0x81,
        0x80,
        0,
        1,
        0,
        50,
        0,
        0,
        0,
        0,
        0xc0,
        12,
        0,
        1,
        0,
        1,
        ...Array.from({ length: 50 }, () => [0xc0, 18, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0]).flat(),
      ]);
      for (let i = 0; i < n; i++) yield udp(1, false, 53, loop);
    },
  },
  "a chain of certificates of 16 MB": {
    n: 16,
    *packets(n) {
      const one = Buffer.alloc(1_000_000, 0x30);
      const list = Buffer.concat(
        Array.from({ length: n }, () => Buffer.concat([Buffer.from([one.length >> 16, (one.length >> 8) & 255, one.length & 255]), one])),
      );
      const all = list.subarray(0, 0xfffff0);
      yield* connected(
        443,
        tlsRecords(
          Buffer.concat([
            serverHello,
            handshake(11, Buffer.concat([Buffer.from([all.length >> 16, (all.length >> 8) & 255, all.length & 255]), all])),
          ]),
        ),
        false,
      );
    },
  },
  "a KEXINIT with lists of half a megabyte": {
    n: 500,
    *packets(n) {
      const list = Buffer.from("a,".repeat(500 * n));
      const lists = Array.from({ length: 10 }, (_, i) => Buffer.concat([Buffer.from([0, 0, 0, 0]), i === 0 ? list : Buffer.alloc(0)]));
      lists[0].writeUInt32BE(list.length, 0);
      const payload = Buffer.concat([Buffer.from([20]), Buffer.alloc(16), ...lists, Buffer.alloc(5)]);
      const packet = Buffer.concat([Buffer.alloc(4), Buffer.from([4]), payload, Buffer.alloc(4)]);
      packet.writeUInt32BE(packet.length - 4, 0);
      yield* connected(22, Buffer.concat([Buffer.from("SSH-2.0-x\r\n"), packet]));
    },
  },
  "keys of flows that differ in one bit each": {
    n: 100_000,
    *packets(n) {
      for (let i = 0; i < n; i++) {
        const f = udp(1, true, 1000, Buffer.from("x"));
        f.writeUInt32BE((0x0a000000 + (i << 8)) >>> 0, 26);
        f.writeUInt16BE(i & 0xff, 34);
        yield f;
      }
    },
  },
};

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "threatflow-attacks-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function write(path: string, packets: Generator<Buffer>): number {
  const fd = openSync(path, "w");
  let waiting: Buffer[] = [FIXTURE];
  let size = 0;
  let count = 0;
  for (const p of packets) {
    const head = recordHead(p, START + Math.floor(count / 50_000), (count % 50_000) * 20);
    waiting.push(head, p);
    size += p.length + 16;
    count++;
    if (size > 4 << 20) {
      writeSync(fd, Buffer.concat(waiting));
      waiting = [];
      size = 0;
    }
  }
  // And the fixture's packets once more, behind the attack: addresses and ports are the same, times later.
  const again = Buffer.from(FIXTURE.subarray(24));
  for (let at = 0; at + 16 <= again.length; at += 16 + again.readUInt32LE(at + 8)) again.writeUInt32LE(again.readUInt32LE(at) + 7200, at);
  waiting.push(again);
  writeSync(fd, Buffer.concat(waiting));
  closeSync(fd);
  return count;
}

test.each(Object.keys(ATTACKS))(
  "%s",
  async (name) => {
    const { n, packets, expect: more } = ATTACKS[name];
    const seconds: number[] = [];
    for (const part of [4, 1]) {
      const path = join(dir, "attack.pcap");
      const count = write(path, packets(Math.ceil(n / part)));
      const begun = performance.now();
      const d = await decode(path);
      seconds.push((performance.now() - begun) / 1000);
      const { accounting: a, firstException, limits, records } = d.summary;
      expect(firstException).toBeUndefined();
      expect(a.read).toBe(count + 576);
      expect(a.decoded + Object.values(a.undecodable).reduce((x, y) => x + y, 0)).toBe(a.read);
      // The real conversations, before and behind.
      const own = {
        posts: recordsOf(d, "http").filter((r) => r.url?.original === "/post").length,
        logins: recordsOf(d, "ssh").filter((r) => r.ssh.server?.version?.startsWith("SSH-2.0-OpenSSH")).length,
        nothing: recordsOf(d, "dns").filter((r) => r.dns.response_code === "NXDOMAIN").length,
        hellos: recordsOf(d, "tls").filter((r) => r.tls.client?.ja4 && r.tls.server).length,
      };
      expect(own).toEqual({ posts: 4, logins: 4, nothing: 2, hellos: 8 });
      if (part === 1) more?.(limits, { ...records, http: (records.http ?? 0) - 14 });
    }
    // Not a measurement of speed: a quadratic step would show as sixteen times the work.
    expect(seconds[1]).toBeLessThan(10 * seconds[0] + 3);
    expect(process.memoryUsage().rss).toBeLessThan(2 ** 31);
  },
  120_000,
);
