/** The capture store in an S3-compatible bucket: objects `<prefix>/<sha256>/<part>`, a local cache for what is read at random. */
import { createReadStream, createWriteStream, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { systemError, ThreatflowError } from "../errors.js";
import type { Settings } from "../settings.js";
import { bytesOf, type CaptureStore, type Custody, custody, receive } from "./capture-store.js";

/** Objects up to this size go in one request, larger ones in parts of it. */
const PART_BYTES = 32 << 20;

export function s3Store(s: Settings): CaptureStore {
  const m = /^s3:\/\/([^/]+)\/?(.*)$/.exec(s.store as string);
  if (!m) throw new ThreatflowError("USAGE", `${s.store} names no bucket`, "a store in S3 is written s3://bucket/prefix");
  const Bucket = m[1];
  const prefix = m[2] ? `${m[2].replace(/\/$/, "")}/` : "";
  const client = new S3Client({
    endpoint: s.s3_endpoint,
    forcePathStyle: s.s3_endpoint !== undefined,
    region: process.env.AWS_REGION ?? "us-east-1",
  });
  const cache = join(s.data as string, "cache");
  const scratch = join(cache, ".incoming");
  mkdirSync(scratch, { recursive: true });
  const key = (id: string, part: string): string => `${prefix}${id}/${part}`;
  const local = (id: string, part: string): string => join(cache, id, part);
  const ask = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (error instanceof ThreatflowError) throw error;
      const e = error as Error & { code?: string; $metadata?: { httpStatusCode?: number } };
      const own = systemError(error, cache);
      if (own instanceof ThreatflowError && !(error instanceof S3ServiceException)) throw own;
      throw new ThreatflowError(
        "STORE",
        `the store ${s.store} answers: ${e.name}: ${e.message || e.code}`,
        "check THREATFLOW_STORE, THREATFLOW_S3_ENDPOINT and the AWS credentials",
      );
    }
  };
  const missing = (error: unknown): boolean => (error as S3ServiceException)?.$metadata?.httpStatusCode === 404;
  const has = async (id: string, part: string): Promise<boolean> => {
    try {
      await client.send(new HeadObjectCommand({ Bucket, Key: key(id, part) }));
      return true;
    } catch (error) {
      if (missing(error)) return false;
      throw error;
    }
  };
  async function upload(Key: string, path: string): Promise<void> {
    const size = statSync(path).size;
    if (size <= PART_BYTES) {
      await client.send(new PutObjectCommand({ Bucket, Key, Body: readFileSync(path) }));
      return;
    }
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    try {
      const Parts: { ETag: string | undefined; PartNumber: number }[] = [];
      for (let at = 0, PartNumber = 1; at < size; at += PART_BYTES, PartNumber++) {
        const end = Math.min(size, at + PART_BYTES);
        const Body = createReadStream(path, { start: at, end: end - 1 });
        const { ETag } = await client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body, ContentLength: end - at }));
        Parts.push({ ETag, PartNumber });
      }
      await client.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }));
    } catch (error) {
      await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId })).catch(() => undefined);
      throw error;
    }
  }
  /** One object a line: buckets cannot append. */
  const log = (c: Custody): Promise<unknown> =>
    client.send(
      new PutObjectCommand({
        Bucket,
        Key: `${prefix}custody/${c.at}-${c.id.slice(0, 12)}-${Math.random().toString(36).slice(2, 8)}.json`,
        Body: JSON.stringify(c),
      }),
    );

  return {
    where: s.store as string,
    scratch,
    add: (name, input, onBytes) =>
      ask(async () => {
        const hidden = join(scratch, `${process.pid}-${Math.random().toString(36).slice(2)}`);
        try {
          const { id, bytes } = await receive(name, input ?? bytesOf(name), hidden, onBytes);
          const fresh = !(await has(id, "capture"));
          if (fresh) await upload(key(id, "capture"), hidden);
          mkdirSync(join(cache, id), { recursive: true });
          renameSync(hidden, local(id, "capture"));
          await log(custody(fresh ? "added" : "added again", id, { bytes, name }));
          return { id, bytes, fresh };
        } finally {
          rmSync(hidden, { force: true });
        }
      }),
    keep: (id, part, path) =>
      ask(async () => {
        await upload(key(id, part), path);
        rmSync(local(id, part), { force: true });
        rmSync(path, { force: true });
      }),
    fetch: (id, part) =>
      ask(async () => {
        const path = local(id, part);
        // Only the capture's bytes never change under their name.
        if (existsSync(path) && part === "capture") return path;
        const hidden = join(scratch, `${process.pid}-${Math.random().toString(36).slice(2)}`);
        try {
          const object = await client.send(new GetObjectCommand({ Bucket, Key: key(id, part) }));
          await pipeline(object.Body as Readable, createWriteStream(hidden));
          mkdirSync(join(cache, id), { recursive: true });
          renameSync(hidden, path);
          return path;
        } catch (error) {
          rmSync(hidden, { force: true });
          if (missing(error))
            throw new ThreatflowError("NO_EVIDENCE", `the store ${s.store} has no ${part} of ${id.slice(0, 12)}…`, "was it deleted?");
          throw error;
        }
      }),
    has: (id, part) => ask(() => has(id, part)),
    drop: (id, part) =>
      ask(async () => {
        rmSync(local(id, part), { force: true });
        await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: key(id, part) }] } }));
      }),
    remove: (id) =>
      ask(async () => {
        rmSync(join(cache, id), { recursive: true, force: true });
        for (;;) {
          const page = await client.send(new ListObjectsV2Command({ Bucket, Prefix: `${prefix}${id}/` }));
          const Objects = (page.Contents ?? []).map((o) => ({ Key: o.Key as string }));
          if (Objects.length === 0) break;
          await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
        }
        await log(custody("deleted", id));
      }),
  };
}
