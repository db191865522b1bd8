import { writeSync } from "node:fs";

/** Writes every byte: on a disk that is nearly full one write takes only a part, without an error. `at`: the place in the file, bytes. */
export function writeAll(fd: number, bytes: Uint8Array, at?: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, at === undefined ? null : at + done);
}
