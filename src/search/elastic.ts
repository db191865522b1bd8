/** The connection to Elasticsearch: checked once, with errors that say what to do; retries are the caller's. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, errors } from "@elastic/elasticsearch";
import { ThreatflowError } from "../errors.js";
import { hideCredentials, type Settings } from "../settings.js";

export interface Elastic {
  readonly client: Client;
  /** Before the names of all indices and aliases. */
  readonly prefix: string;
  readonly url: string;
  readonly version: string;
}
/** What a command waits for an answer before it says that nobody is there, ms. */
const PING_MS = 3000;
const REQUEST_MS = 60000;
const OLDEST = 9;

export async function connectElastic(s: Settings): Promise<Elastic> {
  const url = s.elasticsearch as string;
  let client: Client;
  try {
    client = new Client({
      node: url,
      auth: s.elasticsearch_api_key ? { apiKey: s.elasticsearch_api_key } : undefined,
      tls: s.elasticsearch_ca ? { ca: readFileSync(s.elasticsearch_ca) } : undefined,
      compression: true,
      maxRetries: 0,
      requestTimeout: REQUEST_MS,
    });
  } catch (error) {
    throw new ThreatflowError("USAGE", `ELASTICSEARCH_URL: ${(error as Error).message}`, "it looks like http://127.0.0.1:9200");
  }
  const safe = hideCredentials(url);
  try {
    const info = await client.info(undefined, { requestTimeout: PING_MS });
    const version = info.version.number;
    if (Number(version.split(".")[0]) < OLDEST) {
      throw new ThreatflowError("ELASTICSEARCH", `Elasticsearch at ${safe} is ${version}`, `version ${OLDEST} or newer is needed`);
    }
    return { client, prefix: s.index_prefix as string, url: safe, version };
  } catch (error) {
    await client.close();
    throw elasticError(error, safe);
  }
}

/** An error of the client as one of ours; those that are ours already come back as they are. */
export function elasticError(error: unknown, url: string): unknown {
  if (error instanceof ThreatflowError) return error;
  const at = `Elasticsearch at ${url}`;
  if (error instanceof errors.ResponseError) {
    const status = error.statusCode;
    const reason = reasonOf(error);
    if (status === 401 || (status === 403 && !/cluster_block/.test(reason)))
      return new ThreatflowError(
        "ELASTICSEARCH",
        `${at} refuses these credentials (${status})`,
        "set ELASTICSEARCH_API_KEY, or user and password in ELASTICSEARCH_URL",
      );
    return new ThreatflowError("ELASTICSEARCH", `${at} answers ${status}: ${reason}`, "`threatflow doctor` looks into it", passes(error));
  }
  if (error instanceof errors.ConnectionError || error instanceof errors.TimeoutError || error instanceof errors.NoLivingConnectionsError)
    return new ThreatflowError("ELASTICSEARCH", `${at} does not answer: ${error.message}`, "start it, or correct ELASTICSEARCH_URL", true);
  if (error instanceof errors.ProductNotSupportedError)
    return new ThreatflowError("ELASTICSEARCH", `what answers at ${url} is no Elasticsearch`, "correct ELASTICSEARCH_URL");
  return error;
}
export function reasonOf(error: unknown): string {
  const body = (error as { meta?: { body?: { error?: { type?: string; reason?: string } | string } } }).meta?.body?.error;
  return typeof body === "string" ? body : body ? `${body.type}: ${body.reason}` : ((error as Error).message ?? String(error));
}
/** May pass by itself: nobody there, too much to do, starting, a full disk. */
export function passes(error: unknown): boolean {
  if (error instanceof errors.ResponseError)
    return [408, 429, 502, 503, 504].includes(error.statusCode ?? 0) || /cluster_block/.test(reasonOf(error));
  return (
    error instanceof errors.ConnectionError || error instanceof errors.TimeoutError || error instanceof errors.NoLivingConnectionsError
  );
}

/** The answer to a request as text: numbers and the order of keys stay as they were written. */
export async function rawRequest(
  e: Elastic,
  method: string,
  path: string,
  body: unknown,
  query: Record<string, string> = {},
): Promise<string> {
  const answer = await e.client.transport.request(
    { method, path, body: body as object, querystring: query },
    {
      asStream: true,
      meta: true,
      headers: { "content-type": "application/json", accept: "application/json", "accept-encoding": "identity" },
    },
  );
  const chunks: Buffer[] = [];
  for await (const c of answer.body as AsyncIterable<Buffer>) chunks.push(Buffer.from(c));
  const text = Buffer.concat(chunks).toString("utf8");
  if ((answer.statusCode ?? 0) < 400) return text;
  throw new errors.ResponseError({ ...answer, body: parsed(text) } as ConstructorParameters<typeof errors.ResponseError>[0]);
}
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Has too much to do just now: the request was not taken. */
const overloaded = (error: unknown): boolean =>
  error instanceof errors.ResponseError && error.statusCode === 429 && !/cluster_block/.test(reasonOf(error));
/** How long such a request is tried again, and the first and longest pause between two tries, ms. */
const OVERLOADED_MS = 20000;
const PAUSE_MS = 100;
const PAUSE_MOST_MS = 2000;

/** Runs requests, again where they were not taken; what the client throws comes out as one of our errors. */
export const asking =
  (e: Elastic) =>
  async <T>(work: () => Promise<T>): Promise<T> => {
    const until = Date.now() + OVERLOADED_MS;
    for (let pause = PAUSE_MS; ; pause = Math.min(PAUSE_MOST_MS, pause * 2)) {
      try {
        return await work();
      } catch (error) {
        if (!overloaded(error) || Date.now() > until) throw elasticError(error, e.url);
        await sleep(pause * (0.5 + Math.random()));
      }
    }
  };
export const notFound = (error: unknown): boolean => error instanceof errors.ResponseError && error.statusCode === 404;
/** An index of the catalogue's, made where there is none; several may try at once. */
export async function ensureIndex(e: Elastic, index: string, properties: Readonly<Record<string, object>>): Promise<void> {
  if (await e.client.indices.exists({ index })) return;
  try {
    await e.client.indices.create({
      index,
      settings: { "index.number_of_shards": 1 },
      mappings: { dynamic: "strict", properties: properties as never },
    });
  } catch (error) {
    if (!/resource_already_exists/.test(reasonOf(error))) throw error;
  }
}
