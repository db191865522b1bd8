/** `threatflow replay` as a team's CI meets it. */
import { spawnSync } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";

const root = join(import.meta.dirname, "..");
const fixtures = join(root, "fixtures", "pcaps");
let dir: string;
const run = (args: string[], env: Record<string, string> = {}) =>
  spawnSync(join(root, "bin", "threatflow"), ["replay", ...args], {
    encoding: "utf8",
    timeout: 60000,
    env: { ...process.env, GITHUB_ACTIONS: "", ...env },
  });
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "threatflow-replay-test-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));
/** Changes the first record of the expected ones that `fits`. */
function edit(file: string, fits: (r: any) => boolean, change: (r: any) => any): void {
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  const n = lines.findIndex((l) => fits(JSON.parse(l)));
  const changed = change(JSON.parse(lines[n]));
  lines.splice(n, 1, ...(changed ? [JSON.stringify(changed)] : []));
  writeFileSync(file, `${lines.join("\n")}\n`);
}

test("the project's own fixtures are as expected", () => {
  const r = run([fixtures]);
  expect(r.stdout).toMatch(/ as expected, 0 different/);
  expect(r.status).toBe(0);
});

test("a changed field is named with what was expected and got, in text, JUnit and annotations; --update takes it over", () => {
  cpSync(join(fixtures, "dns"), dir, { recursive: true });
  const expected = join(dir, "queries.expected.ndjson");
  edit(
    expected,
    (r) => r.dns?.question,
    (r) => ({ ...r, dns: { ...r.dns, response_code: "YXDOMAIN" } }),
  );
  const xml = join(dir, "junit.xml");
  const r = run([dir, "--junit", xml, "--github"]);
  expect(r.status).toBe(1);
  expect(r.stdout).toMatch(/✗ queries\.pcap\n {4}dns at packet \d+ .*\n {6}dns\.response_code\n {8}- "YXDOMAIN"\n {8}\+ "[A-Z]+"/);
  expect(r.stdout).toMatch(/::error file=.*queries\.expected\.ndjson,title=queries\.pcap%3A 1 differences::dns at packet/);
  expect(readFileSync(xml, "utf8")).toMatch(/tests="1" failures="1".*<failure message="1 differences">dns at packet/s);
  expect(run([dir, "--update"]).stdout).toContain("1 updated");
  expect(run([dir]).status).toBe(0);
});

test("a record too few and one too many are told apart; ignored fields and tolerance are not differences", () => {
  cpSync(join(fixtures, "dns"), dir, { recursive: true });
  const expected = join(dir, "queries.expected.ndjson");
  const original = readFileSync(expected, "utf8");
  edit(
    expected,
    (r) => r.event.dataset === "dns",
    () => undefined,
  );
  expect(run([dir]).stdout).toContain("not expected: dns at packet");
  writeFileSync(expected, `${original}${original.split("\n")[0].replace(/"id":"[0-9a-f]{32}"/, `"id":"${"a".repeat(32)}"`)}\n`);
  expect(run([dir]).stdout).toContain("missing: ");
  writeFileSync(expected, original);
  edit(
    expected,
    (r) => r.event.dataset === "flow",
    (r) => ({ ...r, event: { ...r.event, duration: r.event.duration + 5 }, ecs: { version: "0" } }),
  );
  expect(run([dir]).status).toBe(1);
  writeFileSync(join(dir, "replay.yaml"), "ignore: [ecs]\ntolerance: { event.duration: 5 }\n");
  expect(run([dir]).status).toBe(0);
});

test("conditions in the query language stand for a frozen record", () => {
  copyFileSync(join(fixtures, "dns", "queries.pcap"), join(dir, "queries.pcap"));
  const yaml = join(dir, "queries.expect.yaml");
  writeFileSync(
    yaml,
    "- where: dns.question.name: *.example*\n  dataset: dns\n- where: source.ip: 10.99.0.0/16\n  count: 0\n- where: event.dataset: capture\n  count: 1\n",
  );
  expect(run([dir]).stdout).toMatch(/1 as expected, 0 different/);
  writeFileSync(yaml, "- where: dns.question.name: *.evil.test\n  count: 3\n");
  const r = run([dir]);
  expect(r.stdout).toMatch(/dns\.question\.name: \*\.evil\.test\n {6}records\n {8}- 3\n {8}\+ 0/);
  expect(r.status).toBe(1);
  for (const [text, why] of [
    ["- where: nothing.such: 1\n", "there is no field nothing.such"],
    ["- whre: a\n", "there is no key whre"],
    ["just text\n", "no list of conditions"],
  ] as const) {
    writeFileSync(yaml, text);
    const bad = run([dir]);
    expect(bad.status).not.toBe(0);
    expect(bad.stdout + bad.stderr).toContain(why);
  }
});

test("a capture without expectation is told, not failed; --update writes one; a broken capture fails", () => {
  copyFileSync(join(fixtures, "icmp", "pings.pcap"), join(dir, "pings.pcap"));
  const r = run([dir]);
  expect(r.stdout).toContain("1 without expectation");
  expect(r.status).toBe(0);
  expect(run([dir, "--update"]).status).toBe(0);
  expect(existsSync(join(dir, "pings.expected.ndjson"))).toBe(true);
  writeFileSync(join(dir, "pings.pcap"), readFileSync(join(fixtures, "icmp", "pings.pcap")).subarray(0, 10));
  const broken = run([dir]);
  expect(broken.stdout).toContain("failed: ");
  expect(broken.status).toBe(1);
});

test("several processes tell the same in the same order", () => {
  cpSync(fixtures, dir, { recursive: true });
  const [name] = readdirSync(join(dir, "dns")).filter((f) => f.endsWith(".expected.ndjson"));
  edit(
    join(dir, "dns", name),
    (r) => r.event.dataset === "dns",
    (r) => ({ ...r, dns: { ...r.dns, response_code: "REFUSED" } }),
  );
  const told = (...args: string[]) => run([dir, ...args]).stdout.replace(/ in .*s\n$/, "");
  expect(told("--jobs", "3")).toBe(told());
  expect(run([dir, "--jobs", "0"]).status).toBe(2);
  writeFileSync(join(dir, "dns", "wrong.expect.yaml"), "- nonsense\n");
  copyFileSync(join(fixtures, "arp", "who-has.pcap"), join(dir, "dns", "wrong.pcap"));
  expect([run([dir, "--jobs", "2"]).status, run([dir]).status]).toEqual([2, 2]);
});

test("the GitHub action and the pre-commit hook do what they say", () => {
  // The action's own steps, as a runner would take them: its inputs stand in the environment that it names.
  const action = parse(readFileSync(join(root, "action.yml"), "utf8"));
  expect(action.runs.using).toBe("composite");
  const [build, replay] = action.runs.steps as { run: string; shell: string; env?: Record<string, string> }[];
  expect(build.run).toMatch(/make .* build$/);
  const step = (captures: string) => {
    const inputs: Record<string, string> = { captures, junit: join(dir, "replay.xml") };
    const env = Object.fromEntries(
      Object.entries(replay.env ?? {}).map(([k, v]) => [k, v.replace(/\$\{\{ inputs\.(\w+) \}\}/, (_, n) => inputs[n])]),
    );
    return spawnSync("bash", ["-eo", "pipefail", "-c", replay.run], {
      encoding: "utf8",
      env: { ...process.env, ...env, GITHUB_ACTION_PATH: root },
    });
  };
  cpSync(join(fixtures, "dns"), join(dir, "dns"), { recursive: true });
  expect(step(join(dir, "dns")).status).toBe(0);
  expect(readFileSync(join(dir, "replay.xml"), "utf8")).toMatch(/<testsuite/);
  const hook = parse(readFileSync(join(root, ".pre-commit-hooks.yaml"), "utf8"))[0];
  const hooked = () => spawnSync(join(root, hook.entry), [dir], { encoding: "utf8" }).status;
  expect(hooked()).toBe(0);
  const [name] = readdirSync(join(dir, "dns")).filter((f) => f.endsWith(".expected.ndjson"));
  edit(
    join(dir, "dns", name),
    (r) => r.event.dataset === "dns",
    (r) => ({ ...r, dns: { ...r.dns, response_code: "REFUSED" } }),
  );
  const wrong = step(join(dir, "dns"));
  expect([wrong.status, wrong.stdout]).toEqual([1, expect.stringMatching(/^::error file=/m)]);
  expect(hooked()).toBe(1);
});

test("no folder, no captures: one line", () => {
  expect(run([join(dir, "none")])).toMatchObject({ status: 1 });
  const r = run([dir]);
  expect(r.stderr.trim().split("\n")).toHaveLength(1);
  expect(r.status).toBe(2);
});
