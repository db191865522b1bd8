/** Writes fixtures/pcaps/**​/*.expected.ndjson anew from what the program says now. */
import { writeFileSync } from "node:fs";
import { decode } from "../test/support/decode.ts";
import { fixtures, goldenText } from "../test/support/golden.ts";

for (const path of fixtures()) {
  const text = goldenText(await decode(path));
  writeFileSync(path.replace(/\.pcap$/, ".expected.ndjson"), text);
  console.log(`${path}: ${text.split("\n").length - 1} records`);
}
