/** What golden captures do not reach: the beginnings of messages, what bodies look like, answers after a hole. */
import type { At, Emission, FlowView, Session } from "../contract.js";
import { http } from "./index.js";
import { sniff } from "./sniff.js";

const at: At = { packet: 1, seconds: 0, nanos: 0 };
const view = { transport: "tcp", protocol: 6, clientPort: 50000, serverPort: 9999 } as const;
const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");

test.each([
  ["H", "unsure", "server"],
  ["HTTP/1.", "unsure", "server"],
  ["HTTP/1.0 ", "unsure", "server"],
  ["HTTP/1.1 200 OK\r\n", "certain", "server"],
  ["HTTP/2", "no", undefined],
  ["IC", "unsure", "server"],
  ["ICY 200 OK\r\n", "certain", "server"],
  ["GET /index.html HTTP/1.1\r\n", "certain", "client"],
  ["GE", "unsure", undefined],
  ["get / http/1.1\r\n", "certain", "client"],
  ["GET / HTTP/2\r\n", "certain", "client"],
  ["PRI * HTTP/2.0\r\n", "no", undefined],
  ["\r\n\r\nGET / HTTP/1.1\r\n", "certain", "client"],
  ["\r\n", "unsure", undefined],
  ["\r\n\r\nSSH-2.0", "no", undefined],
  ["SSH-2.0-OpenSSH_9.2\r\n", "no", undefined],
  ["\x16\x03\x01\x02\x00\x01", "no", undefined],
] as const)("first bytes %j", (text, sure, from) => {
  const v = http.probe(bytes(text), view);
  expect([v.sure, v.from]).toEqual([sure, from]);
});

test.each([
  ["%PDF-1.7", "application/pdf"],
  ["\x89PNG\r\n\x1a\n", "image/png"],
  ["GIF89a", "image/gif"],
  ["\xff\xd8\xff\xe0", "image/jpeg"],
  ["PK\x03\x04", "application/zip"],
  ["\x1f\x8b\x08", "application/gzip"],
  ["\x7fELF", "application/x-elf"],
  ["RIFF\x00\x00\x00\x00WEBP", "image/webp"],
  ["RIFF\x00\x00\x00\x00WAVE", "audio/wav"],
  ["RIFF\x00\x00\x00\x00AVI ", "video/x-msvideo"],
  ["RIFF\x00\x00\x00\x00ELSE", undefined],
  ["\x00\x00\x00\x18ftypmp42", "video/mp4"],
  ["\xef\xbb\xbf  <!DOCTYPE html><title>", "text/html"],
  ["<svg xmlns=", "image/svg+xml"],
  ["<?xml version=", "text/xml"],
  ['  {"a": 1}', "application/json"],
  ["[1, 2]", "application/json"],
  ["{a: 1}", "text/plain"],
  ["plain words\tand tabs\r\n", "text/plain"],
  ["\x00\x01\x02", undefined],
  ["", undefined],
])("a body that begins %j", (text, type) => {
  expect(sniff(bytes(text))).toBe(type);
});

/** Each side's bytes, one call a message; null: a hole. */
function run(...turns: [0 | 1, string | null][]): Emission[] {
  return runOn(view, ...turns);
}
function runOn(flow: FlowView, ...turns: [0 | 1, string | null][]): Emission[] {
  const records: Emission[] = [];
  const session: Session = http.open(flow, { record: (e) => records.push(e), anomaly: () => undefined }, { credentials: false });
  const rest = ["", ""];
  for (const [side, text] of turns) {
    if (text === null) {
      rest[side] = "";
      session.gap(side, 100, at);
      continue;
    }
    rest[side] += text;
    for (let more = true; more && rest[side]; ) {
      const p = session.data(side, bytes(rest[side]), () => at, 0);
      const consumed = "consumed" in p ? p.consumed : 0;
      rest[side] = rest[side].slice(consumed + (p.kind === "skip" ? Math.min(p.skip, rest[side].length - consumed) : 0));
      more = p.kind === "ok" && consumed > 0;
    }
  }
  session.end();
  return records;
}
const told = (e: Emission): [string | undefined, number | undefined] => {
  const b = (typeof e.body === "string" ? JSON.parse(e.body) : e.body) as {
    url?: { original: string };
    http: { response?: { status_code: number } };
  };
  return [b.url?.original, b.http.response?.status_code];
};
const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
const answer = (status: number): string => `HTTP/1.1 ${status} x\r\nContent-Length: 0\r\n\r\n`;

test("pipelined requests meet their answers in order", () => {
  expect(run([0, get("/a") + get("/b") + get("/c")], [1, answer(200) + answer(404) + answer(302)]).map(told)).toEqual([
    ["/a", 200],
    ["/b", 404],
    ["/c", 302],
  ]);
});
test("after a hole in the answers nothing is paired wrongly: requests and answers stand alone", () => {
  const pairs = run([0, get("/a") + get("/b")], [1, answer(200)], [1, null], [1, answer(404)], [0, get("/c")]).map(told);
  expect(pairs).toContainEqual(["/a", 200]);
  expect(pairs).not.toContainEqual(["/b", 404]);
  expect(pairs.filter(([path]) => path).map(([path]) => path)).toEqual(expect.arrayContaining(["/a", "/b", "/c"]));
});
test("a connection picked up in the middle: an answer whose request was never seen stands alone, and takes none of the later requests", () => {
  const midstream = { ...view, midstream: true };
  expect(runOn(midstream, [1, answer(200)], [0, get("/a")], [1, answer(404)], [0, get("/b")], [1, answer(302)]).map(told)).toEqual([
    [undefined, 200],
    ["/a", 404],
    ["/b", 302],
  ]);
});
test("picked up in the middle with several requests outstanding, an answer is given to none of them; those that follow meet again", () => {
  const midstream = { ...view, midstream: true };
  const pairs = runOn(midstream, [0, get("/a") + get("/b")], [1, answer(200)], [0, get("/c")], [1, answer(404)]).map(told);
  expect(pairs).toHaveLength(4);
  expect(pairs).toEqual(
    expect.arrayContaining([
      ["/a", undefined],
      ["/b", undefined],
      [undefined, 200],
      ["/c", 404],
    ]),
  );
});
const post = "POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n";
const uploaded = (e: Emission): unknown => (e.body as { http: { request?: { body?: { bytes: number } } } }).http.request?.body?.bytes;
test("a hole in the answers while a body is uploaded: the request is written once, with its whole body", () => {
  for (const early of [[], [[1, answer(413)]]] as [1, string][][]) {
    const records = run([0, post], [0, "abc"], ...early, [1, null], [0, "def"], [0, get("/next")]);
    expect(records.map((r) => [...told(r), uploaded(r)])).toEqual([
      ["/up", early.length ? 413 : undefined, 6],
      ["/next", undefined, undefined],
    ]);
  }
});
test("a hole in the requests while an answer's body comes: the exchange is written once", () => {
  const half = "HTTP/1.1 200 x\r\nContent-Length: 6\r\n\r\n";
  const records = run([0, post], [0, "abc"], [1, half], [1, "abc"], [0, null], [1, "def"], [0, get("/next")]);
  expect(records.map(told)).toEqual([
    ["/up", 200],
    ["/next", undefined],
  ]);
});
test("an exchange ends with the last byte of the response, whichever packet brought that", () => {
  const records: Emission[] = [];
  const session = http.open(view, { record: (e) => records.push(e), anomaly: () => undefined }, { credentials: false });
  const from = (packet: number) => (offset: number) => ({ packet: packet + offset, seconds: 0, nanos: 0 });
  const request = bytes(get("/"));
  session.data(0, request, from(0), 0);
  const response = bytes("HTTP/1.1 204 x\r\n\r\n");
  session.data(1, response, from(1000), 0);
  session.end();
  expect([records[0].at.packet, records[0].until?.packet]).toEqual([0, 1000 + response.length - 1]);
});
test("and where it has a body, with the body's last byte", () => {
  const records: Emission[] = [];
  const session = http.open(view, { record: (e) => records.push(e), anomaly: () => undefined }, { credentials: false });
  const from = (packet: number) => (offset: number) => ({ packet: packet + offset, seconds: 0, nanos: 0 });
  session.data(0, bytes(get("/")), from(0), 0);
  session.data(1, bytes("HTTP/1.1 200 x\r\nContent-Length: 3\r\n\r\n"), from(1000), 0);
  expect(session.data(1, bytes("abc"), from(2000), 0)).toEqual({ kind: "ok", consumed: 3 });
  session.end();
  expect([records.length, records[0].until?.packet]).toEqual([1, 2002]);
});
test("a response of fewer than five bytes is looked at when its side has ended", () => {
  const records: Emission[] = [];
  const anomalies: string[] = [];
  const session = http.open(view, { record: (e) => records.push(e), anomaly: (n) => anomalies.push(n) }, { credentials: false });
  session.data(0, bytes(get("/")), () => at, 0);
  expect(session.data(1, bytes("abc\n"), () => at, 0)).toEqual({ kind: "need", consumed: 0, need: 5 });
  session.sideEnd?.(1, at);
  expect(session.data(1, bytes("abc\n"), () => at, 0)).toEqual({ kind: "stop", reason: "not-this-protocol" });
  expect(anomalies).toEqual(["http-status-line-invalid"]);
});
