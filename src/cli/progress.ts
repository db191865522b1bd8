/** Progress on stderr: a bar on a terminal, plain lines elsewhere, at most one every two seconds. */
import type { Progress } from "../jobs/summary.js";

const NAMES = { store: "storing", survey: "reading", decode: "decoding", write: "writing" } as const;

export class ProgressLine {
  private readonly quiet: boolean;
  private readonly label: string;
  private last = 0;
  private stage = "";
  private drawn = false;
  private waiting = "";
  constructor(label: string, quiet: boolean) {
    this.label = label;
    this.quiet = quiet;
  }
  readonly update = (p: Progress): void => {
    if (this.quiet) return;
    const now = performance.now();
    const tty = process.stderr.isTTY;
    if (p.waiting && p.waiting !== this.waiting) {
      this.waiting = p.waiting;
      this.clear();
      process.stderr.write(`${this.label}: waiting: ${p.waiting}\n`);
      return;
    }
    if (now - this.last < (tty ? 60 : 2000) && (p.stage === this.stage || !tty)) return;
    this.last = now;
    this.stage = p.stage;
    const part = p.total ? Math.min(1, p.done / p.total) : 0;
    const percent = `${Math.floor(part * 100)} %`.padStart(5);
    if (!tty) {
      process.stderr.write(`${this.label}: ${NAMES[p.stage]} ${percent.trim()}\n`);
      return;
    }
    const cells = 28;
    const full = Math.round(part * cells);
    process.stderr.write(`\r\x1b[K${NAMES[p.stage].padEnd(9)} ${"█".repeat(full)}${"░".repeat(cells - full)} ${percent}  ${this.label}`);
    this.drawn = true;
  };
  clear(): void {
    if (this.drawn) process.stderr.write("\r\x1b[K");
    this.drawn = false;
  }
}
