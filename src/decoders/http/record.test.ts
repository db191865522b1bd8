/** Targets in their four forms (RFC 9112 §3.2), hosts with and without ports, logins. */
import { urlOf } from "./record.js";

test.each([
  ["GET", "/a/b?c=d", "x.example", "http://x.example/a/b?c=d", ["x.example", undefined, "/a/b", "c=d"]],
  ["GET", "/a", "X.Example:8080", "http://x.example:8080/a", ["x.example", 8080, "/a", undefined]],
  ["GET", "/a", "[2001:db8::1]:8080", "http://[2001:db8::1]:8080/a", ["[2001:db8::1]", 8080, "/a", undefined]],
  ["GET", "/a", "x.example:99999", "http://x.example/a", ["x.example", undefined, "/a", undefined]],
  ["GET", "/a", "x.example:65535", "http://x.example:65535/a", ["x.example", 65535, "/a", undefined]],
  ["GET", "/a#b?c", " x.example ", "http://x.example/a#b?c", ["x.example", undefined, "/a", undefined]],
  ["GET", "/a?", "x.example", "http://x.example/a?", ["x.example", undefined, "/a", undefined]],
  ["GET", "?a=b", "x.example", "http://x.example?a=b", ["x.example", undefined, undefined, "a=b"]],
  ["GET", "a/b", "x.example", "http://x.example/a/b", ["x.example", undefined, "a/b", undefined]],
  ["GET", "#a", "x.example", "http://x.example/#a", ["x.example", undefined, undefined, undefined]],
  ["GET", "", "x.example", "http://x.example", ["x.example", undefined, undefined, undefined]],
  ["GET", "/a", undefined, undefined, [undefined, undefined, "/a", undefined]],
  ["OPTIONS", "*", "x.example", "http://x.example", ["x.example", undefined, "*", undefined]],
  ["GET", "HTTPS://Y.example:444/z?q", "x.example", "https://y.example:444/z?q", ["y.example", 444, "/z", "q"]],
  ["GET", "ftp://y.example", "x.example", "ftp://y.example", ["y.example", undefined, undefined, undefined]],
  ["CONNECT", "y.example:443", "x.example", undefined, ["y.example", 443, undefined, undefined]],
] as const)("%s %s at %s", (method, target, host, full, [domain, port, path, query]) => {
  expect(urlOf(method, target, host, false)).toMatchObject({ original: target });
  const u = urlOf(method, target, host, false);
  expect([u.full, u.domain, u.port, u.path, u.query]).toEqual([full, domain, port, path, query]);
});
test("a login in the target is kept only when asked for, and is never part of the host", () => {
  const target = "http://user:word@x.example/a";
  expect(urlOf("GET", target, undefined, false)).toMatchObject({
    original: "http://[redacted]@x.example/a",
    full: "http://x.example/a",
    domain: "x.example",
  });
  expect(urlOf("GET", target, undefined, true)).toMatchObject({ original: target, domain: "x.example" });
});
