/** Bytes on their way in, looked at while they come: their first ones must be a capture's, and there must be room for them. */
import { ThreatflowError } from "../errors.js";
import { compressionOf } from "./compression.js";
import { isCapture } from "./folder.js";
import { looksLike } from "./source.js";

const ENOUGH = 4;

/** Throws NOT_A_CAPTURE as soon as the first bytes tell, QUOTA where more than `room` bytes come. */
export async function* checkedInput(name: string, input: AsyncIterable<Buffer>, room: number): AsyncGenerator<Buffer> {
  let head: Buffer | undefined = Buffer.alloc(0);
  let bytes = 0;
  for await (const chunk of input) {
    bytes += chunk.length;
    if (bytes > room)
      throw new ThreatflowError(
        "DISK_FULL",
        `${name}: no room for it here (more than ${Math.max(0, room)} bytes)`,
        "free some space, or delete captures",
      );
    if (head === undefined) {
      yield chunk;
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < ENOUGH) continue;
    check(name, head);
    yield head;
    head = undefined;
  }
  if (head?.length) check(name, head);
}
function check(name: string, head: Buffer): void {
  if (!isCapture(head) && compressionOf(head) === undefined)
    throw new ThreatflowError(
      "NOT_A_CAPTURE",
      `${name} is no capture: it looks like ${looksLike(head)}`,
      "pcap and pcapng are read, plain or as .gz or .zst",
    );
}
