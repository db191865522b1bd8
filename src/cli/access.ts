/** `threatflow users`, `tokens`, `audit`: who may use the server, and who did what. */
import type { Command } from "commander";
import { ThreatflowError } from "../errors.js";
import { durationNs } from "./options.js";
import { withShelf } from "./place.js";
import { table } from "./text.js";

interface Flags {
  data?: string;
  json?: boolean;
  role: string;
  case: string[];
  expires?: string;
  last: string;
}
const several = (value: string, before: string[]): string[] => [...before, value];

export function accessCommands(program: Command): void {
  const data = ["--data <dir>", "data folder"] as const;
  const users = program.command("users").description("who may log in to `threatflow serve`");
  users
    .command("list", { isDefault: true })
    .option(...data)
    .option("--json", "one object a line")
    .action(async (f: Flags) => {
      const all = await withAccess(f, (a) => a.users());
      if (f.json) for (const u of all) process.stdout.write(`${JSON.stringify(u)}\n`);
      else if (all.length === 0) process.stderr.write("no users: `threatflow serve` asks nobody to log in\n");
      else
        process.stdout.write(
          `${table(
            ["name", "role", "cases", "since"],
            all.map((u) => [u.name, u.role, u.cases.join(" "), u.added.slice(0, 10)]),
          )}\n`,
        );
    });
  users
    .command("add <name>")
    .description("a new user, or new rights and password of one; the password is the first line of standard input")
    .requiredOption("--role <role>", "viewer (reads), analyst (changes captures too), admin (lets others in, reads the audit log)")
    .option("--case <name>", "a case that is seen, again for more; * sees all", several, [])
    .option(...data)
    .action(async (name: string, f: Flags) => {
      const password = await firstLine(`password of ${name}: `);
      await withAccess(f, (a) => a.putUser(name, f.role, f.case.length ? f.case : ["default"], password));
      process.stderr.write(`${name} may log in\n`);
    });
  users
    .command("remove <name>")
    .option(...data)
    .action(async (name: string, f: Flags) => {
      await withAccess(f, (a) => a.removeUser(name));
      process.stderr.write(`${name}: removed, and logged out\n`);
    });
  const tokens = program.command("tokens").description("tokens for programs that use the API");
  tokens
    .command("list", { isDefault: true })
    .option(...data)
    .option("--json", "one object a line")
    .action(async (f: Flags) => {
      const all = await withAccess(f, (a) => a.tokens());
      if (f.json) for (const t of all) process.stdout.write(`${JSON.stringify(t)}\n`);
      else if (all.length === 0) process.stderr.write("no tokens\n");
      else
        process.stdout.write(
          `${table(
            ["id", "name", "role", "cases", "expires"],
            all.map((t) => [t.id, t.name, t.role, t.cases.join(" "), t.expires?.slice(0, 16) ?? "never"]),
          )}\n`,
        );
    });
  tokens
    .command("add <name>")
    .description("a new token; it is printed once")
    .requiredOption("--role <role>", "viewer, analyst or admin")
    .option("--case <name>", "a case that is seen, again for more; * sees all", several, [])
    .option("--expires <age>", "when it ends, e.g. 90d (default: never)")
    .option(...data)
    .action(async (name: string, f: Flags) => {
      const ms = f.expires === undefined ? undefined : Number(durationNs(f.expires) / 1000000n);
      const { token } = await withAccess(f, (a) => a.addToken(name, f.role, f.case.length ? f.case : ["default"], ms));
      process.stdout.write(`${token}\n`);
    });
  tokens
    .command("remove <id>")
    .option(...data)
    .action(async (id: string, f: Flags) => {
      await withAccess(f, (a) => a.removeToken(id));
      process.stderr.write(`${id}: removed\n`);
    });
  program
    .command("audit")
    .description("who looked at, exported, changed and deleted what through the server, the latest first")
    .option("--last <n>", "how many", "100")
    .option("--json", "one object a line")
    .option(...data)
    .action(async (f: Flags) => {
      const { Audit } = await import("../access/audit.js");
      const all = await withShelf(f.data, (s) => new Audit(s).last(Number(f.last) || 100));
      if (f.json) for (const e of all) process.stdout.write(`${JSON.stringify(e)}\n`);
      else
        process.stdout.write(
          `${table(
            ["at", "who", "from", "what", "status", "of"],
            all.map((e) => [
              e.at.slice(0, 19),
              e.who,
              e.from,
              e.what,
              String(e.status),
              Object.entries(e.of)
                .map(([k, v]) => `${k}=${v}`)
                .join(" "),
            ]),
          )}\n`,
        );
    });
}

async function withAccess<T>(f: Flags, work: (a: import("../access/access.js").Access) => Promise<T>): Promise<T> {
  const { Access } = await import("../access/access.js");
  return withShelf(f.data, (s) => work(new Access(s, undefined)));
}

/** Typed without being shown, or piped in. */
async function firstLine(prompt: string): Promise<string> {
  const { createInterface } = await import("node:readline/promises");
  const { Writable } = await import("node:stream");
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  if (process.stdin.isTTY) process.stderr.write(prompt);
  const lines = createInterface({ input: process.stdin, output: silent, terminal: process.stdin.isTTY });
  try {
    for await (const line of lines) return line;
  } finally {
    lines.close();
    if (process.stdin.isTTY) process.stderr.write("\n");
  }
  throw new ThreatflowError("USAGE", "no password came", "type it, or pipe it in");
}
