import { readSync, writeSync } from "node:fs";

/** Writes every byte: on a disk that is nearly full one write takes only a part, without an error. `at`: the place in the file, bytes. */
export function writeAll(fd: number, bytes: Uint8Array, at?: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, at === undefined ? null : at + done);
}

/** Reads `length` bytes from `position` on; fewer where the file ends. Returns how many. */
export function readFully(fd: number, into: Uint8Array, length: number, position: number): number {
  let done = 0;
  while (done < length) {
    const n = readSync(fd, into, done, length - done, position + done);
    if (n === 0) break;
    done += n;
  }
  return done;
}
