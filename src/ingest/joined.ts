/**
 * The files of a tcpdump or dumpcap ring as one capture, in name order. Classic pcap: the first file's head, then the records of all, which
 * are the bytes of the file that was never rotated; pcapng: section after section.
 */
import { createReadStream } from "node:fs";
import { systemError, ThreatflowError } from "../errors.js";
import { isCapture, isPcap } from "./folder.js";
import { readHead } from "./source.js";

const PCAP_HEAD = 24;
/** Magic, version and link type of a classic file; its snap length may differ. */
const kind = (head: Buffer): string =>
  isPcap(head) ? `${head.subarray(0, 8).toString("hex")}/${head.subarray(20, 24).toString("hex")}` : "pcapng";

export async function* joinedInput(files: readonly string[]): AsyncGenerator<Buffer> {
  const first = headOf(files[0]);
  for (const [n, file] of files.entries()) {
    const head = headOf(file);
    if (kind(head) !== kind(first))
      throw new ThreatflowError(
        "NOT_A_CAPTURE",
        `${file} is of another kind than ${files[0]}: they are no ring of one capture`,
        "analyse them apart, without --join",
      );
    try {
      yield* createReadStream(file, { start: n > 0 && isPcap(head) ? PCAP_HEAD : 0, highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>;
    } catch (error) {
      throw systemError(error, file);
    }
  }
}
function headOf(file: string): Buffer {
  let head: Buffer;
  try {
    head = readHead(file, PCAP_HEAD);
  } catch (error) {
    throw systemError(error, file);
  }
  if (!isCapture(head))
    throw new ThreatflowError("NOT_A_CAPTURE", `${file} is no plain capture: only pcap and pcapng files are joined`, "unpack it first");
  return head;
}
/** For people. */
export const joinedName = (files: readonly string[]): string =>
  files.length === 1 ? files[0] : `${files[0]} and ${files.length - 1} more`;
