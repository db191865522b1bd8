/**
 * A small KQL: `field: value`, `field: (a or b)`, `field >= n`, `field: *`, wildcards, CIDR, quoted text, and / or / not, parentheses.
 * A value without a field is looked for in related.ip, related.hosts and related.hash.
 */
import { ThreatflowError } from "../errors.js";

export type Query =
  | { kind: "all" }
  | { kind: "and" | "or"; parts: Query[] }
  | { kind: "not"; part: Query }
  | { kind: "exists"; field: string; at: number }
  | { kind: "is"; field: string | undefined; value: string; quoted: boolean; at: number }
  | { kind: "range"; field: string; op: "<" | "<=" | ">" | ">="; value: string; at: number };

interface Token {
  kind: "word" | "text" | "op" | "end";
  value: string;
  at: number;
}
/** Deepest nesting, and most tokens. */
const MAX_DEPTH = 50;
const MAX_TOKENS = 2000;

function syntax(text: string, at: number, what: string): ThreatflowError {
  return new ThreatflowError(
    "QUERY_SYNTAX",
    `query: ${what} at character ${at + 1}: ${text.slice(0, at)}»${text.slice(at)}`,
    "e.g. `dns.question.name: *.example.com and not source.ip: 10.0.0.0/8`",
  );
}

function tokens(text: string): Token[] {
  const out: Token[] = [];
  let i = text.indexOf("\0");
  if (i >= 0) throw syntax(text.replaceAll("\0", "?"), i, "a NUL"); // no store takes one
  i = 0;
  while (i < text.length) {
    const ch = text[i];
    if (/\s/.test(ch)) {
      i++;
      continue;
    }
    const at = i;
    if (ch === '"') {
      let value = "";
      for (i++; i < text.length && text[i] !== '"'; i++) {
        if (text[i] === "\\" && i + 1 < text.length) i++;
        value += text[i];
      }
      if (i >= text.length) throw syntax(text, at, "a quote that is not closed");
      i++;
      out.push({ kind: "text", value, at });
    } else if (/[()]/.test(ch)) {
      out.push({ kind: "op", value: ch, at });
      i++;
    } else if (/[<>]/.test(ch)) {
      const value = text[i + 1] === "=" ? `${ch}=` : ch;
      out.push({ kind: "op", value, at });
      i += value.length;
    } else if (ch === ":") {
      out.push({ kind: "op", value: ":", at });
      i++;
    } else {
      let value = "";
      // A colon inside a word belongs to it when an address or a time is being written: fe80::1, 12:30:00.
      while (i < text.length && !/[\s()<>"]/.test(text[i])) {
        if (text[i] === ":" && !insideValue(out, value, text, i)) break;
        if (text[i] === "\\" && i + 1 < text.length) i++;
        value += text[i++];
      }
      out.push({ kind: "word", value, at });
    }
    if (out.length > MAX_TOKENS) throw syntax(text, at, "more than 2,000 words");
  }
  out.push({ kind: "end", value: "", at: text.length });
  return out;
}
/** After `field:` colons are part of the value; in a bare word they are where what stands before is no field name. */
function insideValue(before: readonly Token[], value: string, text: string, at: number): boolean {
  const last = before.at(-1);
  if (last?.kind === "op" && [":", "<", "<=", ">", ">="].includes(last.value)) return true;
  if (/^[0-9a-fA-F]{0,4}(:[0-9a-fA-F]{0,4})*$/.test(value) && /^[:0-9a-fA-F]/.test(text.slice(at + 1)))
    return value === "" || !/[a-z]/i.test(value) || text[at + 1] === ":" || value.includes(":");
  return false;
}

export function parseQuery(text: string): Query {
  const all = tokens(text);
  let n = 0;
  let depth = 0;
  const peek = (): Token => all[n];
  const word = (w: string): boolean => peek().kind === "word" && peek().value.toLowerCase() === w;
  const op = (v: string): boolean => peek().kind === "op" && peek().value === v;

  function or(value: (() => Query) | undefined): Query {
    const parts = [and(value)];
    while (word("or")) {
      n++;
      parts.push(and(value));
    }
    return parts.length === 1 ? parts[0] : { kind: "or", parts };
  }
  function and(value: (() => Query) | undefined): Query {
    const parts = [not(value)];
    while (word("and")) {
      n++;
      parts.push(not(value));
    }
    return parts.length === 1 ? parts[0] : { kind: "and", parts };
  }
  function not(value: (() => Query) | undefined): Query {
    if (word("not")) {
      n++;
      return { kind: "not", part: not(value) };
    }
    if (op("(")) {
      const open = peek();
      if (++depth > MAX_DEPTH) throw syntax(text, open.at, "more than 50 parentheses inside each other");
      n++;
      const inner = or(value);
      if (!op(")")) throw syntax(text, open.at, "a parenthesis that is not closed");
      n++;
      depth--;
      return inner;
    }
    return value ? value() : term();
  }
  function literal(field: string): Query {
    const t = peek();
    if (t.kind !== "word" && t.kind !== "text") throw syntax(text, t.at, "a value is missing");
    n++;
    if (t.kind === "word" && t.value === "*") return { kind: "exists", field, at: t.at };
    return { kind: "is", field, value: t.value, quoted: t.kind === "text", at: t.at };
  }
  function term(): Query {
    const t = peek();
    if (t.kind !== "word" && t.kind !== "text")
      throw syntax(text, t.at, t.kind === "end" ? "something is missing" : `unexpected ${t.value}`);
    n++;
    const next = peek();
    if (t.kind === "word" && next.kind === "op" && next.value === ":") {
      n++;
      if (op("(")) return not(() => literal(t.value));
      return literal(t.value);
    }
    if (t.kind === "word" && next.kind === "op" && ["<", "<=", ">", ">="].includes(next.value)) {
      n++;
      const v = peek();
      if (v.kind !== "word" && v.kind !== "text") throw syntax(text, v.at, "a value is missing");
      n++;
      return { kind: "range", field: t.value, op: next.value as "<", value: v.value, at: t.at };
    }
    if (t.value === "*") return { kind: "all" };
    return { kind: "is", field: undefined, value: t.value, quoted: t.kind === "text", at: t.at };
  }

  if (all.length === 1) return { kind: "all" };
  const query = or(undefined);
  if (peek().kind !== "end") throw syntax(text, peek().at, `unexpected ${peek().value}, perhaps "and" is missing`);
  return query;
}
