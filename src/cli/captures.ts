/** `threatflow captures list|show`, `delete`. */
import type { Command } from "commander";
import type { CaptureEntry } from "../catalog/catalog.js";
import { openPlace } from "./place.js";
import { number, size, table } from "./text.js";

interface Flags {
  data?: string;
  json?: boolean;
}

export function captureCommands(program: Command): void {
  const captures = program.command("captures").description("the captures that were imported");
  captures
    .command("list", { isDefault: true })
    .option("--data <dir>", "data folder")
    .option("--json", "one object a line")
    .action(async (f: Flags) => {
      const place = await openPlace(f.data);
      const all = await place.catalog.list();
      await place.close();
      if (f.json) for (const c of all) process.stdout.write(`${JSON.stringify(c)}\n`);
      else if (all.length === 0) process.stderr.write("no captures; `threatflow analyze FILE` imports one\n");
      else process.stdout.write(`${table(["id", "added", "packets", "bytes", "status", "name"], all.map(row))}\n`);
    });
  captures
    .command("show <id>")
    .option("--data <dir>", "data folder")
    .action(async (id: string, f: Flags) => {
      const place = await openPlace(f.data);
      try {
        process.stdout.write(`${JSON.stringify(await place.catalog.resolve(id), null, 2)}\n`);
      } finally {
        await place.close();
      }
    });
  program
    .command("delete <capture>")
    .description("remove a capture's records everywhere (and the copy of its bytes, where one was kept)")
    .option("--data <dir>", "data folder")
    .action(async (id: string, f: Flags) => {
      const place = await openPlace(f.data);
      try {
        process.stderr.write(`${await place.remove(id)}: deleted\n`);
      } finally {
        await place.close();
      }
    });
}
const row = (c: CaptureEntry): string[] => [
  c.id.slice(0, 12),
  c.added.slice(0, 19),
  c.summary ? number(c.summary.capture.packets) : "",
  size(c.bytes),
  c.status === "done" ? (c.summary?.status ?? c.status) : c.status,
  c.name,
];
