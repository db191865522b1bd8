/** `threatflow doctor`: looks at everything that the work needs, and says of each what is wrong and how to mend it. `threatflow config`. */
import { accessSync, constants, mkdirSync, readFileSync, statfsSync } from "node:fs";
import type { Command } from "commander";
import { layout } from "../engine/native.js";
import { shown } from "../settings.js";
import { settings, settingValues } from "./place.js";
import { size, table } from "./text.js";

type Level = "ok" | "warn" | "wrong";
export interface Finding {
  what: string;
  level: Level;
  text: string;
}
export const LOW_DISK = 5 * 2 ** 30;
/** Bits of CapEff (linux/capability.h). */
const CAPABILITIES = { CAP_NET_ADMIN: 12n, CAP_NET_RAW: 13n };

export function doctorCommand(program: Command, exit: (status: number) => void): void {
  program
    .command("doctor")
    .description("check Node, libpcap, folders, Redis and Elasticsearch, and say how to mend what is wrong")
    .option("--json", "one object a line")
    .option("--data <dir>", "data folder")
    .action(async (f: { json?: boolean; data?: string }) => {
      const s = settings(f.data);
      const found: Finding[] = [
        ...machine(),
        folder("data folder", s.data as string),
        ...(await (await import("./doctor-servers.js")).servers(s)),
      ];
      const mark = { ok: "ok   ", warn: "warn ", wrong: "WRONG" };
      for (const x of found) process.stdout.write(f.json ? `${JSON.stringify(x)}\n` : `${mark[x.level]}  ${x.what.padEnd(16)} ${x.text}\n`);
      exit(found.some((x) => x.level === "wrong") ? 1 : 0);
    });
  program
    .command("config")
    .description("every setting, its value and where it comes from")
    .action(() => {
      const rows = settingValues().map((v) => [v.name, shown(v), v.origin]);
      process.stdout.write(`${table(["setting", "value", "from"], rows)}\n`);
    });
}

function machine(): Finding[] {
  const out: Finding[] = [
    { what: "node", level: "ok", text: process.version },
    { what: "libpcap", level: "ok", text: layout.libpcap },
  ];
  try {
    const bits = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0"}`);
    const missing = Object.entries(CAPABILITIES).filter(([, n]) => !((bits >> n) & 1n));
    out.push(
      missing.length
        ? {
            what: "capabilities",
            level: "warn",
            text: `${missing.map(([n]) => n).join(", ")} missing: live capture needs them; sudo setcap cap_net_raw,cap_net_admin=ep ${process.execPath}`,
          }
        : { what: "capabilities", level: "ok", text: Object.keys(CAPABILITIES).join(", ") },
    );
  } catch {
    // not Linux: nothing to look at
  }
  return out;
}

export function folder(what: string, dir: string): Finding {
  try {
    mkdirSync(dir, { recursive: true });
    accessSync(dir, constants.W_OK);
    const fs = statfsSync(dir);
    const free = fs.bavail * fs.bsize;
    return free < LOW_DISK
      ? { what, level: "warn", text: `${dir}: only ${size(free)} free` }
      : { what, level: "ok", text: `${dir}, ${size(free)} free` };
  } catch (error) {
    return { what, level: "wrong", text: `${dir}: ${(error as Error).message}; name another with --data` };
  }
}
