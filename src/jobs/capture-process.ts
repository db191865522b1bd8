/** `threatflow capture` as a process of its own, started by whoever schedules or watches captures. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { RECORD_ENV, RECORD_FLAGS } from "./v8-flags.js";

export interface CaptureProcess {
  child: ChildProcess;
  /** It is over: the capture's id (or that no packet came), or why there is none. */
  ended: Promise<{ well: boolean; what: string }>;
}

/** `told` gets each line of standard error. */
export function startCapture(args: readonly string[], dataDir: string, told?: (line: string) => void): CaptureProcess {
  const main = fileURLToPath(new URL("../cli/main.js", import.meta.url));
  const flags = ["--disable-warning=ExperimentalWarning", ...RECORD_FLAGS];
  const child = spawn(process.execPath, [...flags, main, "capture", ...args, "--data", dataDir, "--json"], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...RECORD_ENV, ...process.env },
  });
  let out = "";
  let last = "";
  child.stdout.on("data", (b) => (out += b));
  createInterface({ input: child.stderr }).on("line", (line) => {
    if (!line.startsWith("{")) last = line;
    told?.(line);
  });
  child.on("error", () => undefined);
  const ended = new Promise<{ well: boolean; what: string }>((resolve) =>
    child.on("close", (status) => {
      let id: string | undefined;
      try {
        id = (JSON.parse(out) as { capture: { id: string } }).capture.id || "no packet came";
      } catch {
        // it told why on standard error
      }
      const well = id !== undefined && (status === 0 || status === 3);
      resolve({ well, what: well ? (id as string) : last || `exit ${status}` });
    }),
  );
  return { child, ended };
}

/** Ends captures as Ctrl-C does: they keep what they have. */
export async function endCaptures(running: Iterable<CaptureProcess>): Promise<void> {
  await Promise.all(
    [...running].map(async (p) => {
      p.child.kill("SIGINT");
      await p.ended;
    }),
  );
}
