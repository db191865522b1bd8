/** Lines of a run, one by one. */
import { open } from "node:fs/promises";
import { systemError, ThreatflowError } from "../errors.js";
import type { StoredRun } from "./merge.js";

/** Where a line's id stands (src/records/envelope.ts): behind `{"@timestamp":"<30>","event":{"id":"`. */
export const ID_AT = 15 + 30 + 17;
const ID_CHARS = 32;
const READ_BYTES = 1 << 20;
const LF = 10;

export const idOf = (line: Buffer): string => line.latin1Slice(ID_AT, ID_AT + ID_CHARS);

/** Lines of a run with their line feeds; each good for as long as it is held. */
export async function* linesOf(run: StoredRun): AsyncGenerator<Buffer> {
  if (typeof run.text !== "string") {
    yield* split(run.text);
    return;
  }
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(run.text, "r");
  } catch (error) {
    throw systemError(error, run.text);
  }
  try {
    let rest: Buffer = Buffer.alloc(0);
    for (;;) {
      const chunk = Buffer.allocUnsafeSlow(Math.max(READ_BYTES, run.longest));
      const { bytesRead } = await file.read(chunk, 0, chunk.length);
      if (bytesRead === 0) break;
      const all = rest.length ? Buffer.concat([rest, chunk.subarray(0, bytesRead)]) : chunk.subarray(0, bytesRead);
      const end = all.lastIndexOf(LF) + 1;
      yield* split(all.subarray(0, end));
      rest = Buffer.from(all.subarray(end));
    }
    if (rest.length) throw new ThreatflowError("INTERNAL", `${run.text} ends inside a line`);
  } finally {
    await file.close();
  }
}
function* split(b: Buffer): Generator<Buffer> {
  for (let at = 0; at < b.length; ) {
    const end = b.indexOf(LF, at) + 1;
    yield b.subarray(at, end);
    at = end;
  }
}
