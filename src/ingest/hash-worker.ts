/** Hashes windows in a thread of its own, beside the survey: [buffer number, length] in, the number back when the buffer is free again. */
import { createHash } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";

const buffers = (workerData as SharedArrayBuffer[]).map((b) => new Uint8Array(b));
const hash = createHash("sha256");
parentPort?.on("message", ([n, from, length]: [number, number, number]) => {
  if (n < 0) parentPort?.postMessage(hash.digest("hex"));
  else {
    hash.update(buffers[n].subarray(from, from + length));
    parentPort?.postMessage(n);
  }
});
