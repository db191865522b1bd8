/** `threatflow filter compile|verify|explain|run`: low-level filters looked at before they are used. */
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { DEFAULT_DECODE, DEFAULT_SPOOL_QUOTA, DEFAULT_WINDOW_BYTES } from "../config.js";
import { addon, INDEX_BYTES } from "../engine/native.js";
import { systemError, ThreatflowError } from "../errors.js";
import { readFully } from "../file-bytes.js";
import { parseProgram, readFilter } from "../ingest/filter.js";
import { explain, verify } from "../ingest/filter-explain.js";
import { MemoryIndex } from "../ingest/packet-index.js";
import { openSource } from "../ingest/source.js";
import { survey } from "../ingest/survey.js";
import { linktypeName, linktypeNumber } from "../records/protocols.js";
import { EXIT } from "./exit.js";
import { number } from "./text.js";

const SNAPLEN = 262144;
/** Packets in which two filters differ that are named. */
const MOST_DIFFERENT = 20;
/** What the kernel answers. */
const KERNEL_SAYS = "Invalid argument (EINVAL)";

interface Flags {
  linktype: string;
  format: string;
  snaplen: string;
  json?: boolean;
}

export function filterCommands(program: Command, exit: (status: number) => void): void {
  const filter = program
    .command("filter")
    .description("compile, verify, explain and run cBPF filters (an expression, @file, or a pasted program)");
  filter
    .command("compile <filter>")
    .description("print the program of an expression, as `tcpdump -dd` does")
    .option("--linktype <name>", "link type of the packets", "ETHERNET")
    .option("--format <form>", "dd, ddd, d or iptables", "dd")
    .action((text: string, f: Flags) => {
      process.stdout.write(printed(programOf(text, f), f.format, f));
    });
  filter
    .command("verify <filter>")
    .description("check a program by all rules of the kernel")
    .option("--linktype <name>", "link type of the packets", "ETHERNET")
    .option("--json", "one object")
    .action((text: string, f: Flags) => {
      const code = unverified(text, f);
      const violations = verify(code);
      if (f.json)
        process.stdout.write(`${JSON.stringify({ instructions: code.length / 4, valid: violations.length === 0, violations })}\n`);
      else if (violations.length === 0) process.stdout.write(`${code.length / 4} instructions: the kernel takes it\n`);
      else
        process.stdout.write(
          `${violations.map((v) => `instruction ${v.at}: ${v.what}`).join("\n")}\nthe kernel would refuse it: ${KERNEL_SAYS}\n`,
        );
      exit(violations.length ? EXIT.failed : EXIT.done);
    });
  filter
    .command("explain <filter>")
    .description("what each instruction does, in protocol terms; which verdicts can be reached; what to look out for")
    .option("--linktype <name>", "link type of the packets", "ETHERNET")
    .option("--snaplen <bytes>", "what the capture would keep", String(SNAPLEN))
    .option("--json", "one object")
    .action((text: string, f: Flags) => {
      const e = explain(programOf(text, f), linktypeOf(f), Number(f.snaplen));
      if (f.json) {
        process.stdout.write(`${JSON.stringify(e)}\n`);
        return;
      }
      const into = e.lines.map((l) => e.lines.filter((x) => x.reachable && x.next.includes(l.at) && x.at !== l.at - 1).map((x) => x.at));
      for (const l of e.lines) {
        const from = into[l.at].length ? `  ← ${into[l.at].join(", ")}` : "";
        process.stdout.write(
          `(${String(l.at).padStart(3, "0")}) ${l.reachable ? " " : "-"} ${l.text.replace("\t", "  ").padEnd(40)} ; ${l.meaning}${from}\n`,
        );
      }
      process.stdout.write(
        `verdicts: ${e.verdicts.map((v) => (v < 0 ? "as many bytes as A says" : v === 0 ? "drop" : `keep ${v} bytes`)).join(", ")}\n`,
      );
      for (const w of e.warnings) process.stdout.write(`warning: ${w}\n`);
    });
  filter
    .command("run <filter> <capture>")
    .description("run it over a capture: what matches, how often each instruction is reached; with --beside where two differ")
    .option("--beside <filter>", "another filter: packets where the verdicts differ")
    .option("--json", "one object")
    .action(async (text: string, capture: string, f: { beside?: string; json?: boolean }) => runOver(text, capture, f));
}

function linktypeOf(f: Pick<Flags, "linktype">): number {
  const n = linktypeNumber(f.linktype);
  if (n === undefined)
    throw new ThreatflowError("USAGE", `there is no link type ${f.linktype}`, "e.g. ETHERNET, RAW, LINUX_SLL, LINUX_SLL2, or a number");
  return n;
}
/** The instructions as given, whether they are valid or not. */
function unverified(text: string, f: Pick<Flags, "linktype">): Uint32Array {
  let given = text;
  if (text.startsWith("@")) {
    try {
      given = readFileSync(text.slice(1), "utf8");
    } catch (error) {
      throw systemError(error, text.slice(1));
    }
  }
  return parseProgram(given) ?? readFilter(text).program(linktypeOf(f));
}
const programOf = (text: string, f: Pick<Flags, "linktype">): Uint32Array => readFilter(text).program(linktypeOf(f));

function printed(code: Uint32Array, format: string, f: Flags): string {
  const rows = Array.from({ length: code.length / 4 }, (_, i) => [...code.subarray(i * 4, i * 4 + 4)]);
  const hex = (n: number, width = 0): string => `0x${n.toString(16).padStart(width, "0")}`;
  switch (format) {
    case "dd":
      return rows.map(([c, t, e, k]) => `{ ${hex(c)}, ${t}, ${e}, ${hex(k, 8)} },\n`).join("");
    case "ddd":
      return `${rows.length}\n${rows.map((r) => `${r.join(" ")}\n`).join("")}`;
    case "iptables":
      return `${rows.length},${rows.map((r) => r.join(" ")).join(",")}\n`;
    case "d":
      return explain(code, linktypeOf(f), SNAPLEN)
        .lines.map((l) => `(${String(l.at).padStart(3, "0")}) ${l.text}\n`)
        .join("");
    default:
      throw new ThreatflowError("USAGE", `--format is dd, ddd, d or iptables, not ${JSON.stringify(format)}`);
  }
}

interface Count {
  matched: number;
  dropped: number;
  kept_bytes: number;
  hits: Record<string, number[]>;
}

async function runOver(text: string, capture: string, f: { beside?: string; json?: boolean }): Promise<void> {
  const filters = [readFilter(text), ...(f.beside === undefined ? [] : [readFilter(f.beside)])];
  const work = join(tmpdir(), `threatflow-filter-${process.pid}`);
  mkdirSync(work, { recursive: true });
  const source = await openSource(capture, { spoolDir: work, quota: DEFAULT_SPOOL_QUOTA });
  const index = new MemoryIndex();
  try {
    const { surveyed } = await survey(source, index, { decode: DEFAULT_DECODE, filter: undefined, windowBytes: DEFAULT_WINDOW_BYTES });
    const counts: Count[] = filters.map(() => ({ matched: 0, dropped: 0, kept_bytes: 0, hits: {} }));
    const hits = filters.map(() => new Map<number, Float64Array>());
    const different: { packet: number; first: number; second: number }[] = [];
    let differing = 0;
    const rows = Buffer.alloc(4096 * INDEX_BYTES);
    const fd = openSync(source.path, "r");
    try {
      for (let from = 0; from < index.rows; from += 4096) {
        const n = index.read(from, 4096, rows);
        for (let i = 0; i < n; i++) {
          const at = i * INDEX_BYTES;
          const bytes = new Uint8Array(rows.readUInt32LE(at + 28));
          readFully(fd, bytes, bytes.length, Number(rows.readBigUInt64LE(at)));
          const linktype = surveyed.linktypes[rows.readUInt16LE(at + 36)];
          const verdicts = filters.map((filter, k) => {
            const code = filter.program(linktype);
            let own = hits[k].get(linktype);
            if (!own) {
              own = new Float64Array(code.length / 4);
              hits[k].set(linktype, own);
            }
            const kept = Math.min(addon.countFilter(code, bytes, rows.readUInt32LE(at + 32), own), bytes.length);
            if (kept) counts[k].matched++;
            else counts[k].dropped++;
            counts[k].kept_bytes += kept;
            return kept;
          });
          if (verdicts.length === 2 && verdicts[0] !== verdicts[1]) {
            differing++;
            if (different.length < MOST_DIFFERENT) different.push({ packet: from + i + 1, first: verdicts[0], second: verdicts[1] });
          }
        }
      }
    } finally {
      closeSync(fd);
    }
    counts.forEach((c, k) => {
      for (const [linktype, own] of hits[k]) c.hits[linktypeName(linktype)] = [...own];
    });
    if (f.json) process.stdout.write(`${JSON.stringify({ packets: index.rows, filters: counts, differing, different })}\n`);
    else tell(index.rows, filters, counts, differing, different);
  } finally {
    source.dispose();
  }
}

function tell(
  packets: number,
  filters: readonly ReturnType<typeof readFilter>[],
  counts: readonly Count[],
  differing: number,
  different: readonly { packet: number; first: number; second: number }[],
): void {
  counts.forEach((c, k) => {
    process.stdout.write(
      `${counts.length > 1 ? `filter ${k + 1}: ` : ""}${number(packets)} packets = ${number(c.matched)} matched + ${number(c.dropped)} dropped, ${number(c.kept_bytes)} bytes kept\n`,
    );
    for (const [name, hits] of Object.entries(c.hits)) {
      const lines = explain(filters[k].program(linktypeNumber(name) ?? 1), linktypeNumber(name) ?? 1, SNAPLEN).lines;
      if (Object.keys(c.hits).length > 1) process.stdout.write(`${name}:\n`);
      for (const l of lines)
        process.stdout.write(
          `${number(hits[l.at]).padStart(12)}  (${String(l.at).padStart(3, "0")}) ${l.text.replace("\t", "  ").padEnd(40)} ; ${l.meaning}\n`,
        );
    }
  });
  if (counts.length < 2) return;
  process.stdout.write(differing ? `the two differ in ${number(differing)} packets:\n` : "the two agree on every packet\n");
  for (const d of different)
    process.stdout.write(
      `  packet ${number(d.packet)}: ${d.first ? `${d.first} bytes` : "dropped"} | ${d.second ? `${d.second} bytes` : "dropped"}\n`,
    );
}
