/** All records of a capture as one text: by time, packet, dataset, id (SEMANTICS 27). */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { entryOf, inOrder, textOf } from "../../dist/replay/records.js";
import type { Decoded } from "./decode.ts";

const FIXTURES = join(import.meta.dirname, "..", "..", "fixtures", "pcaps");

export function fixtures(): string[] {
  return readdirSync(FIXTURES, { recursive: true, encoding: "utf8" })
    .filter((n) => n.endsWith(".pcap"))
    .sort()
    .map((n) => join(FIXTURES, n));
}

export const goldenText = (d: Pick<Decoded, "text">): string =>
  textOf(inOrder([...d.text.values()].flatMap((t) => t.split("\n").filter(Boolean).map(entryOf))));
