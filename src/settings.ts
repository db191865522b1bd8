/**
 * Settings of a place: where Redis, Elasticsearch and the data are. Each once: flag > environment > --config FILE or threatflow.yaml >
 * default. `threatflow config` prints them with where each came from.
 */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { SEGMENT_ROWS } from "./config.js";
import { systemError, ThreatflowError } from "./errors.js";

interface Setting {
  readonly name: string;
  /** Environment variable. */
  readonly env: string;
  /** Command-line flag, with its argument. */
  readonly flag?: string;
  readonly doc: string;
  readonly secret?: boolean;
  readonly fallback?: () => string;
}
const SETTINGS = [
  {
    name: "redis",
    env: "REDIS_URL",
    flag: "--redis <url>",
    doc: "Redis of the job queue, redis://[user:password@]host:port[/db]",
    secret: true,
  },
  {
    name: "elasticsearch",
    env: "ELASTICSEARCH_URL",
    flag: "--elasticsearch <url>",
    doc: "Elasticsearch that records go to, http(s)://[user:password@]host:port",
    secret: true,
  },
  { name: "elasticsearch_api_key", env: "ELASTICSEARCH_API_KEY", doc: "API key (base64) for Elasticsearch", secret: true },
  { name: "elasticsearch_ca", env: "ELASTICSEARCH_CA", doc: "file with the certificate authority of Elasticsearch" },
  {
    name: "data",
    env: "THREATFLOW_DATA",
    doc: "data folder",
    fallback: () => join(process.env.XDG_DATA_HOME || join(homedir(), ".local", "share"), "threatflow"),
  },
  {
    name: "store",
    env: "THREATFLOW_STORE",
    flag: "--store <dir>",
    doc: "capture store that submitters and workers share: a folder, or s3://bucket/prefix (default: <data>/store)",
  },
  {
    name: "s3_endpoint",
    env: "THREATFLOW_S3_ENDPOINT",
    doc: "endpoint of an S3-compatible store; credentials are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
  },
  { name: "queue_prefix", env: "THREATFLOW_QUEUE_PREFIX", doc: "prefix of all keys in Redis", fallback: () => "threatflow" },
  { name: "index_prefix", env: "THREATFLOW_INDEX_PREFIX", doc: "prefix of all indices and aliases", fallback: () => "threatflow" },
  {
    name: "retention",
    env: "THREATFLOW_RETENTION",
    doc: "age at which an ILM policy deletes indices, e.g. 90d, where the cluster has ILM (default: never)",
  },
  {
    name: "unpack_quota",
    env: "THREATFLOW_UNPACK_QUOTA",
    doc: "most that an upload or import may unpack to, e.g. 50GB (default: 200GiB, on one machine at most half of what the disk has free)",
  },
  {
    name: "checkpoint_rows",
    env: "THREATFLOW_CHECKPOINT_ROWS",
    doc: `packets after which a shard's state is kept, so that a retry goes on from there (default: ${SEGMENT_ROWS})`,
  },
  { name: "log_level", env: "THREATFLOW_LOG_LEVEL", doc: "of workers: debug, info, warn, error", fallback: () => "info" },
] as const satisfies readonly Setting[];
export type SettingName = (typeof SETTINGS)[number]["name"];
export const SETTING_LIST: readonly Setting[] = SETTINGS;

export interface Value {
  name: SettingName;
  value: string | undefined;
  origin: string;
}
export type Settings = Readonly<Record<SettingName, string | undefined>>;

/** The values, each with its origin. Throws USAGE where the file is wrong. */
export function readSettings(
  flags: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Value[] {
  const named = flags.config as string | undefined;
  const file = named ?? (existsSync("threatflow.yaml") ? "threatflow.yaml" : undefined);
  const written = file === undefined ? {} : readFile(file);
  return (SETTINGS as readonly (Setting & { name: SettingName })[]).map((s) => {
    const flag = /^--([a-z-]+)/.exec(s.flag ?? "")?.[1];
    const given = flag ? flags[flag] : undefined;
    if (typeof given === "string") return { name: s.name, value: given, origin: `--${flag}` };
    if (env[s.env]) return { name: s.name, value: env[s.env], origin: s.env };
    if (written[s.name] !== undefined) return { name: s.name, value: String(written[s.name]), origin: file as string };
    const fallback = s.fallback?.();
    return { name: s.name, value: fallback, origin: fallback === undefined ? "not set" : "default" };
  });
}

/** Loaded where there is a file to read: it takes longer than all else that a short command does. */
const load = createRequire(import.meta.url);

function readFile(path: string): Record<string, unknown> {
  const { parse } = load("yaml") as typeof import("yaml");
  let found: unknown;
  try {
    found = parse(readFileSync(path, "utf8")) ?? {};
  } catch (error) {
    const e = systemError(error, path);
    throw e instanceof ThreatflowError
      ? e
      : new ThreatflowError("USAGE", `${path}: ${(error as Error).message.split("\n")[0]}`, "it is YAML: `name: value` lines");
  }
  if (typeof found !== "object" || Array.isArray(found))
    throw new ThreatflowError("USAGE", `${path} is no list of settings`, "it is YAML: `name: value` lines");
  const known = new Set<string>(SETTINGS.map((s) => s.name));
  for (const name of Object.keys(found as object))
    if (!known.has(name)) throw new ThreatflowError("USAGE", `${path}: there is no setting ${name}`, `there are ${[...known].join(", ")}`);
  return found as Record<string, unknown>;
}

export function settingsOf(values: readonly Value[]): Settings {
  const out = Object.fromEntries(values.map((v) => [v.name, v.value])) as Record<SettingName, string | undefined>;
  out.data = resolve(out.data as string);
  out.store ??= join(out.data, "store");
  if (!out.store.startsWith("s3://")) out.store = resolve(out.store);
  return out;
}

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  K: 1e3,
  Ki: 2 ** 10,
  M: 1e6,
  Mi: 2 ** 20,
  G: 1e9,
  Gi: 2 ** 30,
  T: 1e12,
  Ti: 2 ** 40,
};
/** Bytes that a compressed capture may unpack to. Throws USAGE. */
export function unpackQuota(s: Settings, fallback: number): number {
  if (s.unpack_quota === undefined) return fallback;
  const m = /^(\d+(?:\.\d+)?)\s*([KMGT]i?)?B?$/.exec(s.unpack_quota);
  if (!m) throw new ThreatflowError("USAGE", `unpack_quota is a size like 50GB, not ${JSON.stringify(s.unpack_quota)}`);
  return Math.floor(Number(m[1]) * UNITS[m[2] ?? ""]);
}

/** Packets between two checkpoints of a shard. Throws USAGE. */
export function checkpointRows(s: Settings): number {
  if (s.checkpoint_rows === undefined) return SEGMENT_ROWS;
  const n = Number(s.checkpoint_rows);
  if (!Number.isSafeInteger(n) || n < 1)
    throw new ThreatflowError("USAGE", `checkpoint_rows is a number of packets, not ${JSON.stringify(s.checkpoint_rows)}`);
  return n;
}

/** Work is spread over machines when both are named; one alone is a mistake. */
export function isDistributed(s: Settings): boolean {
  if (s.redis && s.elasticsearch) return true;
  if (!s.redis && !s.elasticsearch) return false;
  const [there, missing] = s.redis ? ["REDIS_URL", "ELASTICSEARCH_URL"] : ["ELASTICSEARCH_URL", "REDIS_URL"];
  throw new ThreatflowError(
    "USAGE",
    `${there} is set but ${missing} is not`,
    "set both to spread work over machines, or neither to work on this one",
  );
}

/** For people: what is secret is hidden. */
export function shown(v: Value): string {
  const s = SETTING_LIST.find((x) => x.name === v.name) as Setting;
  if (v.value === undefined) return "";
  if (!s.secret) return v.value;
  return /^[a-z]+:\/\//.test(v.value) ? hideCredentials(v.value) : "[hidden]";
}
export const hideCredentials = (url: string): string => url.replace(/^([a-z]+:\/\/)[^@/]*@/, "$1[hidden]@");
