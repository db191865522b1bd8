import { filesBetween, reach, span } from "./row-groups.js";

const ms = 1000000n;
/** Three parts in time, two of which overlap, named out of order. */
const groups = [
  { file: "c", rows: 100, first: 50n * ms, last: 70n * ms },
  { file: "a", rows: 100, first: 0n, last: 20n * ms },
  { file: "b", rows: 100, first: 15n * ms, last: 40n * ms },
];

test("the newest rows lie behind a time, the oldest before one, and all of them need none", () => {
  expect(reach(groups, 1, true)).toBe(50n * ms);
  expect(reach(groups, 101, true)).toBe(15n * ms);
  expect(reach(groups, 201, true)).toBeUndefined();
  expect(reach(groups, 100, false)).toBe(20n * ms);
  expect(reach(groups, 101, false)).toBe(40n * ms);
  expect(reach(groups, 1000, false)).toBeUndefined();
  expect(reach([], 1, true)).toBeUndefined();
});

test("the span of what the files hold", () => {
  expect(span(groups)).toBe(70);
  expect(span([])).toBe(0);
});

test("files with records between two times", () => {
  const between = (since?: bigint, until?: bigint) => [...filesBetween(groups, since, until)].sort().join("");
  expect([
    between(),
    between(20n * ms),
    between(21n * ms),
    between(undefined, 50n * ms),
    between(undefined, 51n * ms),
    between(45n * ms, 46n * ms),
  ]).toEqual(["abc", "abc", "bc", "ab", "abc", ""]);
});
