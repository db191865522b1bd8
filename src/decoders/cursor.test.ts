import { Cursor } from "./cursor.js";

test("fields at the very end are read; one byte less is an error that sticks and tells where", () => {
  const b = Buffer.from("0102030405", "hex");
  for (const [read, size, value] of [
    ["u8", 1, 5],
    ["u16", 2, 0x0405],
    ["u24", 3, 0x030405],
    ["u32", 4, 0x02030405],
  ] as const) {
    const whole = new Cursor(b, 5 - size);
    expect([whole[read](), whole.bad, whole.left]).toEqual([value, false, 0]);
    const short = new Cursor(b, 6 - size);
    expect([short[read](), short.bad, short.story]).toEqual([0, true, { offset: 6 - size, needed: size, had: size - 1 }]);
    expect([short.u8(), short.take(1).length, short.pos]).toEqual([0, 0, 6 - size]);
  }
  expect(new Cursor(Buffer.from("ffffffff", "hex")).u32()).toBe(0xffffffff);
});
test("what is taken is what was there; a part is read to its own end", () => {
  const c = new Cursor(Buffer.from("0102030405", "hex"), 1, 4);
  expect(c.left).toBe(3);
  const part = c.sub(2);
  expect([part.u16(), part.left, part.has(1), part.bad, c.bad]).toEqual([0x0203, 0, false, true, false]);
  expect([...c.take(1)]).toEqual([4]);
  c.skip(1);
  expect(c.bad).toBe(true);
  expect(new Cursor(Buffer.alloc(2), 0, 9).end).toBe(2);
});
