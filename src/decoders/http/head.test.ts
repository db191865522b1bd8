/** Heads as they are sent, strict and sloppy; how the body behind them is framed (RFC 9112 §6.3). */
import fc from "fast-check";
import { framing, headEnd, lineEnd, parseHead } from "./head.js";

const bytes = (t: string): Uint8Array => Buffer.from(t, "latin1");
const parse = (t: string, request = true) => parseHead(bytes(t), t.length, request);

test.each([
  ["a\r\n\r\nb", 0, 5],
  ["a\n\nb", 0, 3],
  ["a\r\n\r\r\nb", 0, 6],
  ["a\r\nb", 0, -1],
  ["a\r\n\r", 0, -1],
  ["\n\n", 1, -1],
  ["", 0, -1],
])("the head of %j from %i ends at %i", (t, from, end) => {
  expect(headEnd(bytes(t), from)).toBe(end);
});
test("a line ends where its line feed stands", () => {
  expect([lineEnd(bytes("ab\nc\n")), lineEnd(bytes("ab\nc\n"), 3), lineEnd(bytes("ab"))]).toEqual([2, 4, -1]);
});
test.each([
  ["GET / HTTP/1.1\r\n\r\n", ["GET", "/", "1.1"], []],
  ["GET  /a  HTTP/1.0\n\n", ["GET", "/a", "1.0"], []],
  ["GET /a b HTTP/1.1\r\n\r\n", ["GET", "/a b", "1.1"], ["http-target-has-space"]],
  ["GET /old\r\n", ["GET", "/old", "0.9"], []],
  ["M-SEARCH * HTTP/1.1\r\n\r\n", ["M-SEARCH", "*", "1.1"], []],
  ["GET /\tHTTP/1.1 \r\n\r\n", ["GET", "/", "1.1"], []],
  ["GET / HTTP/2\r\n\r\n", ["GET", "/", "2"], []],
] as const)("request %j", (t, [method, target, version], anomalies) => {
  expect(parse(t)).toMatchObject({ method, target, version, status: 0, anomalies, headers: [] });
});
test.each(["POST /old\r\n", "GE(T / HTTP/1.1\r\n\r\n", " GET / HTTP/1.1\r\n\r\n", `${"M".repeat(49)} / HTTP/1.1\r\n\r\n`, "\r\n"])(
  "%j is no request",
  (t) => {
    expect(parse(t)).toBeUndefined();
  },
);
test.each([
  ["HTTP/1.1 200 OK\r\n\r\n", "1.1", 200],
  ["HTTP/1.0  404\r\n\r\n", "1.0", 404],
  ["HTTP/2 200\r\n\r\n", "2", 200],
  ["ICY 200 OK\r\n\r\n", "1.0", 200],
] as const)("status line %j", (t, version, status) => {
  expect(parse(t, false)).toMatchObject({ method: undefined, version, status });
});
test.each(["HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 20\r\n\r\n", "HTTP/1.1200 OK\r\n\r\n", "http/1.1 200 OK\r\n\r\n"])(
  "%j is no status line",
  (t) => {
    expect(parse(t, false)).toBeUndefined();
  },
);
test("header lines: names lower case, white space trimmed, folded, without a colon, with white space before it", () => {
  const h = parse("GET / HTTP/1.1\r\nHost:  x \t\r\nA:b\r\n c\r\n\td\r\nno colon\r\nE : f\r\nT\t: h\r\n:g\r\nH:\r\n\r\n");
  expect(h?.headers.map((x) => [x.name, x.value])).toEqual([
    ["host", "x"],
    ["a", "b c d"],
    ["e", "f"],
    ["t", "h"],
    ["", "g"],
    ["h", ""],
  ]);
  expect(h?.anomalies).toEqual(["http-header-folded", "http-header-invalid", "http-header-space-before-colon"]);
  expect(parse("GET / HTTP/1.1\r\n lost\r\n\r\n")).toMatchObject({ headers: [], anomalies: ["http-header-folded"] });
  const many = parse(`GET / HTTP/1.1\r\n${"a: b\r\n".repeat(513)}\r\n`);
  expect([many?.headers.length, many?.anomalies]).toEqual([512, ["http-too-many-headers"]]);
  expect(parse(`GET / HTTP/1.1\r\n${"a: b\r\n".repeat(512)}\r\n`)?.anomalies).toEqual([]);
});

const response = (fields: string, method = "GET", status = 200, version = "1.1") => {
  const head = parse(`HTTP/${version} ${status} x\r\n${fields}\r\n`, false) as NonNullable<ReturnType<typeof parse>>;
  return [framing(head, method), head.anomalies];
};
const request = (fields: string) => {
  const head = parse(`POST / HTTP/1.1\r\n${fields}\r\n`) as NonNullable<ReturnType<typeof parse>>;
  return [framing(head, undefined), head.anomalies];
};
const LENGTH = "Content-Length: 5\r\n";
const CHUNKED = "Transfer-Encoding: gzip, Chunked\r\n";
test.each([
  ["a length", response(LENGTH), { kind: "length", length: 5 }, []],
  ["chunks", response(CHUNKED), { kind: "chunked" }, []],
  ["neither", response(""), { kind: "close" }, []],
  ["both", response(LENGTH + CHUNKED), { kind: "chunked" }, ["http-length-and-chunked"]],
  ["chunks in 1.0", response(CHUNKED, "GET", 200, "1.0"), { kind: "chunked" }, ["http-chunked-in-1.0"]],
  ["another coding", response("Transfer-Encoding: gzip\r\n"), { kind: "close" }, []],
  [
    "identity and a length",
    response(`Transfer-Encoding: identity\r\n${LENGTH}`),
    { kind: "length", length: 5 },
    ["http-length-and-chunked"],
  ],
  ["the same length twice", response(`${LENGTH}Content-Length: 5, 5\r\n`), { kind: "length", length: 5 }, []],
  ["two lengths", response(`${LENGTH}Content-Length: 6\r\n`), { kind: "length", length: 5 }, ["http-conflicting-content-length"]],
  ["a length that is none", response("Content-Length: -5\r\n"), { kind: "close" }, ["http-content-length-invalid"]],
  ["a length of 15 digits", response(`Content-Length: ${"9".repeat(15)}\r\n`), { kind: "length", length: 999999999999999 }, []],
  ["a length of 16 digits", response(`Content-Length: ${"9".repeat(16)}\r\n`), { kind: "close" }, ["http-content-length-invalid"]],
  ["HEAD", response(LENGTH, "HEAD"), { kind: "none" }, []],
  ["100", response(LENGTH, "GET", 100), { kind: "none" }, []],
  ["199", response(LENGTH, "GET", 199), { kind: "none" }, []],
  ["204", response(LENGTH, "GET", 204), { kind: "none" }, []],
  ["304", response(LENGTH, "GET", 304), { kind: "none" }, []],
  ["205", response(LENGTH, "GET", 205), { kind: "length", length: 5 }, []],
  ["a request with a length", request(LENGTH), { kind: "length", length: 5 }, []],
  ["a request in chunks", request(CHUNKED), { kind: "chunked" }, []],
  ["a request with neither", request(""), { kind: "none" }, []],
  ["a request in another coding", request("Transfer-Encoding: gzip\r\n"), { kind: "none" }, []],
  ["a request with a length that is none", request("Content-Length: x\r\n"), { kind: "none" }, ["http-content-length-invalid"]],
])("%s", (_what, got, kind, anomalies) => {
  expect(got).toEqual([kind, anomalies]);
});

test("header lines read from one string are those read one by one", () => {
  // A byte that is not ASCII anywhere in a head has every line of it read by itself.
  const piece = fc.constantFrom(
    "a",
    "Host",
    ":",
    ": ",
    " ",
    "\t",
    "\r",
    "\n",
    "\r\n",
    "\r\n\r",
    "x".repeat(300),
    "y".repeat(9000),
    "Z-9",
    "\0",
    "\x7f",
    "%",
    '"',
    "=;,",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const lines = `GET / HTTP/1.1\r\n${pieces.join("")}\r\n`;
      const quick = Buffer.from(lines, "latin1");
      const slow = Buffer.from(`${lines}X-End: \xe9\r\n`, "latin1");
      const [one, other] = [parseHead(quick, quick.length, true), parseHead(slow, slow.length, true)];
      const end = other?.headers.pop();
      expect(end?.name ?? "x-end").toBe("x-end");
      expect({ ...one, notes: [] }).toEqual({ ...other, notes: [] });
    }),
    { numRuns: 3000, seed: 5 },
  );
});
