/** Transaction → record body, in schema order; credentials are redacted unless asked for. */
import { cutText } from "../../records/text.js";
import type { At } from "../contract.js";
import { type Head, type Header, headerValue } from "./head.js";
import { sniff } from "./sniff.js";

export interface Part {
  head: Head;
  at: At;
  until: At;
  stream: number;
  bodyBytes: number;
  hasBody: boolean;
  /** The body's first bytes. */
  start: Uint8Array;
}
export interface Transaction {
  ordinal: number;
  request: Part | undefined;
  response: Part | undefined;
  interim: number[];
  requestDone: boolean;
  responseDone: boolean;
  /** A message may still be in the middle of its body when its transaction has to be written. */
  written: boolean;
}

const REDACTED = "[redacted]";
const SECRET = new Set(["authorization", "proxy-authorization", "cookie", "set-cookie"]);

function redact(name: string, value: string): string {
  if (!SECRET.has(name)) return value;
  if (name === "cookie" || name === "set-cookie") return REDACTED;
  const scheme = /^[A-Za-z0-9-]+(?= )/.exec(value)?.[0];
  return scheme ? `${scheme} ${REDACTED}` : REDACTED;
}

function headerMap(head: Head, keep: boolean): Record<string, string[]> | undefined {
  if (head.headers.length === 0) return undefined;
  const sorted = [...head.headers].sort(byName);
  const out: Record<string, string[]> = Object.create(null);
  let before: string | undefined;
  let values: string[] = [];
  for (const h of sorted) {
    if (h.name !== before) {
      before = h.name;
      values = [];
      out[h.name.replaceAll("\0", "\\0") || " "] = values;
    }
    values.push(keep ? h.value : redact(h.name, h.value));
  }
  return out;
}
const byName = (a: Header, b: Header): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

interface Url {
  original: string;
  full?: string;
  scheme?: string;
  domain?: string;
  port?: number;
  path?: string;
  query?: string;
}

/** host, or host:port, or [v6]:port */
function authority(text: string): { domain?: string; port?: number } {
  const m = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(text);
  if (!m?.[1]) return {};
  const port = m[2] === undefined ? undefined : Number(m[2]);
  return { domain: cutText(m[1].toLowerCase(), 1024), port: port !== undefined && port <= 65535 ? port : undefined };
}

/** The target's four forms (RFC 9112 §3.2). */
export function urlOf(method: string | undefined, target: string, host: string | undefined, keep: boolean): Url {
  let text = target;
  if (method === "CONNECT") {
    const a = authority(text);
    return { original: text, domain: a.domain, port: a.port };
  }
  const absolute = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)(.*)$/s.exec(text);
  let scheme = "http";
  let where: string | undefined;
  let rest = text;
  if (absolute) {
    scheme = absolute[1].toLowerCase();
    where = absolute[2];
    rest = absolute[3];
    const login = where.lastIndexOf("@");
    if (login >= 0) {
      if (!keep) text = `${absolute[1]}://${REDACTED}@${where.slice(login + 1)}${rest}`;
      where = where.slice(login + 1);
    }
  }
  const a = authority(where ?? host?.trim() ?? "");
  const hash = rest.indexOf("#");
  const bare = hash >= 0 ? rest.slice(0, hash) : rest;
  const mark = bare.indexOf("?");
  const path = (mark >= 0 ? bare.slice(0, mark) : bare) || undefined;
  const known = a.domain ? `${scheme}://${a.domain}${a.port === undefined ? "" : `:${a.port}`}` : undefined;
  return {
    original: text,
    full: known
      ? cutText(known + (rest.startsWith("/") || rest.startsWith("?") ? rest : target === "*" ? "" : rest ? `/${rest}` : ""), 8191)
      : undefined,
    scheme: known ? scheme : undefined,
    domain: a.domain,
    port: a.port,
    path,
    query: mark >= 0 ? bare.slice(mark + 1) || undefined : undefined,
  };
}

const short = (s: string | undefined, max: number): string | undefined => (s ? cutText(s, max) : undefined);

export function body(t: Transaction, keep: boolean): { body: object; hosts: string[] } {
  const { request: q, response: s } = t;
  const url = q ? urlOf(q.head.method, q.head.target, headerValue(q.head, "host"), keep) : undefined;
  const agent = q && headerValue(q.head, "user-agent");
  return {
    hosts: url?.domain && !/^\d+\.\d+\.\d+\.\d+$|^\[/.test(url.domain) ? [url.domain] : [],
    body: {
      http: {
        version: (q ?? s)?.head.version,
        request: q
          ? {
              ordinal: t.ordinal,
              method: q.head.method,
              referrer: short(headerValue(q.head, "referer"), 2048),
              body: q.hasBody ? { bytes: q.bodyBytes } : undefined,
              content_type: short(headerValue(q.head, "content-type"), 256),
              mime_type: sniff(q.start),
              headers: headerMap(q.head, keep),
            }
          : undefined,
        response: s
          ? {
              status_code: s.head.status,
              body: s.hasBody ? { bytes: s.bodyBytes } : undefined,
              content_type: short(headerValue(s.head, "content-type"), 256),
              mime_type: sniff(s.start),
              interim_status_codes: t.interim.length ? t.interim : undefined,
              headers: headerMap(s.head, keep),
            }
          : t.interim.length
            ? { interim_status_codes: t.interim }
            : undefined,
      },
      url,
      user_agent: agent ? { original: short(agent, 2048) } : undefined,
    },
  };
}
