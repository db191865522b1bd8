/** What is remembered, and what is not. */
import { Memo } from "./memo.js";

test("the same key is worked out once, until too many are known", () => {
  const memo = new Memo<number>(2);
  let made = 0;
  const get = (key: string): number => memo.get(key, () => ++made);
  expect([get("a"), get("a"), get("b"), get("a")]).toEqual([1, 1, 2, 1]);
  expect([get("c"), get("a")]).toEqual([3, 4]);
});

test("a long key is worked out each time", () => {
  const memo = new Memo<number>(2);
  let made = 0;
  const get = (): number => memo.get("x".repeat(5000), () => ++made);
  expect([get(), get()]).toEqual([1, 2]);
});
