/** One TCP flow above reassembly: what it tells does not depend on when the native side learns what is wanted no more. */
import type { Emission } from "../decoders/contract.js";
import { Flow } from "./flow.js";
import { StreamFlow } from "./stream-flow.js";

const MIDSTREAM = 6 | (4 << 8) | 0x10000;
const TCP = MIDSTREAM | 0x20000;
const at = (packet: number): { packet: number; seconds: number; nanos: number } => ({ packet, seconds: 0, nanos: 0 });

type Step = (f: StreamFlow) => void;
/** Records of an HTTP-like flow on port 80; the steps in order. */
function told(...steps: Step[]): unknown[] {
  return records(TCP, ...steps).map(([, status]) => status);
}
/** Target and status. */
function records(packed: number, ...steps: Step[]): [string | undefined, number | undefined][] {
  const all: Emission[] = [];
  const flow = new Flow(0, 1, packed, (50000 << 16) | 80, 0, "");
  const f = new StreamFlow(flow, { record: (e) => all.push(e), anomaly: () => undefined }, { credentials: false }, () => undefined);
  for (const step of steps) step(f);
  f.end(at(99));
  return all.map((e) => {
    const b = e.body as { url?: { original: string }; http: { response?: { status_code: number } } };
    return [b.url?.original, b.http.response?.status_code];
  });
}
const bytes =
  (side: number, text: string, packet: number, stream = 0): Step =>
  (f) =>
    f.data(side, Buffer.from(text), stream, at(packet));
const fin =
  (side: number, packet: number): Step =>
  (f) =>
    f.sideEnd(side, at(packet));
const hole =
  (side: number, length: number, stream: number, packet: number): Step =>
  (f) =>
    f.gap(side, length, stream, at(packet));
const answer = "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nbegin";

test("an answer does not wait for a side whose bytes are no request: its end may be told or not", () => {
  const foreign = bytes(0, "=ET / HTTP/1.1\r\nHost: x\r\n\r\n", 1);
  const lost = hole(1, 100, answer.length, 4);
  expect(told(foreign, bytes(1, answer, 2), fin(0, 3), lost)).toEqual([200]);
  expect(told(foreign, bytes(1, answer, 2), lost)).toEqual([200]);
});
test("nor for one whose bytes stop being requests, whenever they do", () => {
  const asked = bytes(0, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 1);
  const foreign = bytes(0, "nothing of HTTP\r\n\r\n", 3, 27);
  const more = bytes(1, "HTTP/1.1 204 x\r\n\r\nHTTP/1.1 404 x\r\nContent-Length: 9\r\n\r\n", 2);
  const lost = hole(1, 100, 55, 5);
  expect(told(asked, foreign, more, fin(0, 4), lost)).toEqual([204, 404]);
  expect(told(asked, more, foreign, lost)).toEqual([204, 404]);
});
test("an answer that comes before any request answers the next one only where the connection's beginning was seen", () => {
  const early = bytes(1, "HTTP/1.1 204 x\r\n\r\n", 1);
  const asked = bytes(0, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n", 2);
  const later = bytes(1, "HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n", 3, 18);
  expect(records(TCP, early, asked, later)).toEqual([
    ["/a", 204],
    [undefined, 404],
  ]);
  expect(records(MIDSTREAM, early, asked, later)).toEqual([
    [undefined, 204],
    ["/a", 404],
  ]);
});
test("requests behind a hole are told late: no answer is given to a request that it was captured before, none shifts", () => {
  const asked = (path: string, packet: number, stream: number): Step => bytes(0, `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`, packet, stream);
  const [one, two, three] = [204, 304, 404].map((status) => `HTTP/1.1 ${status} x\r\nContent-Length: 0\r\n\r\n`);
  const size = one.length;
  // The first request is lost; the hole is known only when the second one's answer has been seen.
  const late = [
    bytes(1, one, 2),
    bytes(1, two, 4, size),
    hole(0, 40, 0, 3),
    asked("/b", 3, 40),
    asked("/c", 5, 78),
    bytes(1, three, 6, 2 * size),
  ];
  expect(records(TCP, ...late)).toEqual([
    [undefined, 204],
    ["/b", 304],
    ["/c", 404],
  ]);
  // An answer too long to be held back until then stands alone, and its request too: those that follow still meet.
  const long = `HTTP/1.1 200 x\r\nContent-Length: 40000\r\n\r\n${"-".repeat(40000)}`;
  const held = [bytes(1, long, 4), hole(0, 40, 0, 3), asked("/b", 3, 40), asked("/c", 5, 78), bytes(1, three, 6, long.length)];
  expect(records(TCP, ...held)).toEqual(
    expect.arrayContaining([
      [undefined, 200],
      ["/b", undefined],
      ["/c", 404],
    ]),
  );
});

test.each([1, 7, 1000])("text on port 22 waits for an identification of either side, in pieces of %d", (size) => {
  const found = (...turns: [number, string][]): readonly string[] => {
    const flow = new Flow(0, 1, TCP, (50000 << 16) | 22, 0, "");
    const f = new StreamFlow(flow, { record: () => undefined, anomaly: () => undefined }, { credentials: false }, () => undefined);
    const sent = [0, 0];
    for (const [side, text] of turns)
      for (let i = 0; i < text.length; i += size) {
        f.data(side, Buffer.from(text.slice(i, i + size)), sent[side], at(1));
        sent[side] += Math.min(size, text.length - i);
      }
    f.end(at(99));
    return flow.protocols;
  };
  expect(found([1, "Welcome\r\nhere\r\nSSH-2.0-b\r\n"])).toEqual(["ssh"]);
  expect(found([1, "Not now\r\n"], [0, "SSH-2.0-a\r\n"])).toEqual(["ssh"]);
  expect(found([1, "$ "], [0, "whoami\n"], [1, "root\n"])).toEqual([]);
});
