/**
 * The bulk loop: documents with their own ids and versions, gzip, bounded in flight, each item's outcome looked at. What may pass is waited
 * for (429, 503, nobody there, a blocked index, a full disk); what is refused goes to a dead-letter file with its reason and is counted.
 */
import { appendFileSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { errors } from "@elastic/elasticsearch";
import { systemError, ThreatflowError } from "../errors.js";
import { type Elastic, elasticError, passes, reasonOf } from "../search/elastic.js";
import { indexOf, versionOf } from "./indices.js";
import { ID_AT, idOf, linesOf } from "./lines.js";
import type { StoredRun } from "./merge.js";

/** Bytes of one request before compression, and requests in flight. */
const REQUEST_BYTES = 4 << 20;
const IN_FLIGHT = 3;
/** Waiting between two tries doubles from the first to the second, ms; jitter comes on top. */
const WAIT_FIRST = 200;
const WAIT_MOST = 10000;

export interface BulkTarget {
  month: string;
  generation: number;
  /** File for documents that are refused. */
  deadLetters: string;
  /** How long to wait for what may pass before the job gives up and is tried again later, ms. */
  patience: number;
  signal?: AbortSignal;
  /** Told when it waits, with the reason in words. */
  waiting?: (why: string) => void;
}
export interface BulkOutcome {
  indexed: number;
  /** Were there already, in this or a later version. */
  present: number;
  refused: number;
}

interface Doc {
  id: string;
  /** The document's line, with its line feed. */
  line: Buffer;
}
type Item = { index: { status: number; error?: { type: string; reason: string; caused_by?: { reason?: string } } } };

const DURATION = Buffer.from('"duration":');

export class ElasticsearchSink {
  private readonly e: Elastic;
  private readonly to: BulkTarget;
  readonly outcome: BulkOutcome = { indexed: 0, present: 0, refused: 0 };

  constructor(e: Elastic, to: BulkTarget) {
    this.e = e;
    this.to = to;
  }

  /** Sends all records of runs of one dataset, in any order; those that are not final never replace final ones. Throws ELASTICSEARCH where patience ends. */
  async dataset(dataset: string, runs: readonly StoredRun[], final = true): Promise<void> {
    const flying = new Set<Promise<void>>();
    let failure: unknown;
    const launch = async (docs: Doc[]): Promise<void> => {
      while (flying.size >= IN_FLIGHT) await Promise.race(flying);
      if (failure) throw failure;
      const flight: Promise<void> = this.send(dataset, docs, final)
        .catch((error: unknown) => {
          failure ??= error;
        })
        .finally(() => flying.delete(flight));
      flying.add(flight);
    };
    let docs: Doc[] = [];
    let bytes = 0;
    try {
      for (const run of runs)
        for await (const line of linesOf(run)) {
          docs.push({ id: idOf(line), line });
          bytes += line.length;
          if (bytes < REQUEST_BYTES) continue;
          await launch(docs);
          docs = [];
          bytes = 0;
        }
      if (docs.length) await launch(docs);
    } finally {
      await Promise.all(flying);
    }
    if (failure) throw failure;
  }

  /** One request, until each of its documents is there or refused. */
  private async send(dataset: string, docs: Doc[], final: boolean): Promise<void> {
    const begun = performance.now();
    for (let left = docs, wait = WAIT_FIRST; left.length; ) {
      this.to.signal?.throwIfAborted();
      let why: string;
      try {
        const items = await this.request(dataset, left, final);
        const again: Doc[] = [];
        why = "";
        items.forEach(({ index: i }, n) => {
          if (i.status === 200 || i.status === 201) this.outcome.indexed++;
          else if (i.status === 409) this.outcome.present++;
          else if (mayPass(i)) {
            why = itemReason(i);
            again.push(left[n]);
          } else this.refuse(dataset, left[n], itemReason(i));
        });
        if (again.length < left.length) wait = WAIT_FIRST;
        left = again;
        if (left.length === 0) return;
      } catch (error) {
        if (error instanceof errors.ResponseError && error.statusCode === 413 && left.length > 1) {
          const half = left.length >> 1;
          await this.send(dataset, left.slice(0, half), final);
          await this.send(dataset, left.slice(half), final);
          return;
        }
        if (!passes(error)) throw elasticError(error, this.e.url);
        why = reasonOf(error);
      }
      if (performance.now() - begun > this.to.patience)
        throw new ThreatflowError("ELASTICSEARCH", `Elasticsearch at ${this.e.url} takes no records: ${why}`, remedyOf(why));
      this.to.waiting?.(`Elasticsearch takes no records now: ${why}; ${remedyOf(why)}`);
      await sleep(wait + Math.random() * wait, undefined, { signal: this.to.signal });
      wait = Math.min(WAIT_MOST, wait * 2);
    }
  }

  private async request(dataset: string, docs: readonly Doc[], final: boolean): Promise<Item[]> {
    const version = versionOf(this.to.generation, final);
    const ingested = Buffer.from(`,"ingested":"${new Date().toISOString()}"`);
    const parts: Buffer[] = [];
    for (const { id, line } of docs) {
      parts.push(Buffer.from(`{"index":{"_id":"${id}","version":${version},"version_type":"external_gte"}}\n`));
      const at = durationEnd(line);
      parts.push(line.subarray(0, at), ingested, line.subarray(at));
    }
    const answer = (await this.e.client.transport.request({
      method: "POST",
      path: `/${indexOf(this.e, dataset, this.to.month)}/_bulk`,
      querystring: { filter_path: "items.*.status,items.*.error", require_alias: "false" },
      bulkBody: Buffer.concat(parts) as never,
    })) as { items: Item[] };
    return answer.items;
  }

  private refuse(dataset: string, doc: Doc, reason: string): void {
    this.outcome.refused++;
    try {
      mkdirSync(dirname(this.to.deadLetters), { recursive: true });
      appendFileSync(
        this.to.deadLetters,
        `{"reason":${JSON.stringify(reason)},"dataset":"${dataset}","document":${doc.line.subarray(0, -1).toString()}}\n`,
      );
    } catch (error) {
      throw systemError(error, this.to.deadLetters);
    }
  }
}

/** Behind the digits of event.duration, where event.ingested stands in the schema. */
function durationEnd(line: Buffer): number {
  let at = line.indexOf(DURATION, ID_AT) + DURATION.length;
  while (line[at] >= 0x30 && line[at] <= 0x39) at++;
  return at;
}
const itemReason = (i: Item["index"]): string =>
  `${i.error?.type ?? i.status}: ${i.error?.reason ?? "no reason given"}${i.error?.caused_by?.reason ? ` (${i.error.caused_by.reason})` : ""}`;
const mayPass = (i: Item["index"]): boolean => [429, 502, 503, 504].includes(i.status) || i.error?.type === "cluster_block_exception";

/** What a person can do about it (PLATFORM 26: a write block and a full disk look alike). */
function remedyOf(why: string): string {
  if (/flood[- ]stage|disk usage exceeded|TOO_MANY_REQUESTS\/12/i.test(why))
    return "its disk is full: free some space there, then the work goes on";
  if (/cluster_block/.test(why)) return "the index is read-only: clear index.blocks.write or index.blocks.read_only, then the work goes on";
  if (/es_rejected|429/.test(why)) return "it has too much to do: the work goes on by itself";
  return "start it again, then the work goes on";
}
