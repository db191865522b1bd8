import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Shelf } from "../../dist/flows/shelf.js";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "threatflow-shelf-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Texts of 1 to 40,000 characters, some of three bytes each, the same for the same number. */
const textOf = (n: number): string => `${n}:${(n % 3 ? "x" : "あ").repeat((n * 7919) % 40_000)}`;

test("texts are read as they were put, written to disk or not yet", () => {
  const shelf = new Shelf(dir);
  for (let n = 0; n < 200; n++) expect(shelf.put(n, textOf(n))).toBe(true);
  for (let n = 199; n >= 0; n--) expect(shelf.read(n)).toBe(textOf(n));
  expect(readdirSync(dir)).toEqual([]); // the file has no name
  shelf.close();
});

test("a slot can have one text after another, and the file does not grow without end", () => {
  const shelf = new Shelf(dir);
  const there = new Map<number, number>();
  let most = 0;
  for (let n = 0; n < 20_000; n++) {
    const slot = (n * 31) % 97;
    if (there.has(slot)) {
      expect(shelf.read(slot)).toBe(textOf(there.get(slot) as number));
      shelf.drop(slot);
    }
    expect(shelf.put(slot, textOf(n))).toBe(true);
    there.set(slot, n);
    most = Math.max(most, (shelf as unknown as { written: number }).written);
  }
  for (const [slot, n] of there) expect(shelf.read(slot)).toBe(textOf(n));
  expect(most).toBeGreaterThan(16 << 20);
  expect(most).toBeLessThan(24 << 20); // 600 MB were put
  shelf.close();
});

test("what cannot be taken is refused: where there is no folder, or a text is too long", () => {
  expect(new Shelf(join(dir, "none")).put(1, "text")).toBe(false);
  const shelf = new Shelf(dir);
  expect(shelf.put(1, "x".repeat(1 << 20))).toBe(false);
  expect(shelf.put(1, "short")).toBe(true);
  expect(shelf.read(1)).toBe("short");
  shelf.close();
});
