/** `threatflow send FILE -i IF`: a capture's frames put on an interface, as they are. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { readFilter } from "../ingest/filter.js";
import { positive } from "./options.js";
import { settings } from "./place.js";
import { number } from "./text.js";

interface Flags {
  interface: string;
  filter?: string;
  pps?: string;
  loop: string;
  data?: string;
}

export function sendCommand(program: Command): void {
  program
    .command("send <file>")
    .description("put the Ethernet frames of a capture on an interface, through libpcap")
    .requiredOption("-i, --interface <name>", "interface")
    .option("--filter <expr>", "only the packets that a filter keeps")
    .option("--pps <n>", "frames a second (default: as fast as it goes)")
    .option("--loop <n>", "how often", "1")
    .option("--data <dir>", "data folder")
    .action(async (file: string, f: Flags) => {
      const { sendCapture } = await import("../jobs/send.js");
      const workDir = join(settings(f.data).data as string, ".tmp");
      mkdirSync(workDir, { recursive: true });
      const abort = new AbortController();
      process.once("SIGINT", () => abort.abort());
      const begun = performance.now();
      const sent = await sendCapture(file, f.interface, {
        filter: f.filter === undefined ? undefined : readFilter(f.filter),
        perSecond: f.pps === undefined ? Infinity : positive(f.pps, "--pps"),
        loops: positive(f.loop, "--loop"),
        workDir,
        signal: abort.signal,
      });
      const seconds = (performance.now() - begun) / 1000;
      process.stderr.write(`${number(sent)} frames sent in ${seconds.toFixed(2)} s (${number(Math.round(sent / seconds))}/s)\n`);
    });
}
