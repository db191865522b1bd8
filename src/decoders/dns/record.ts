/** Transaction → record body, in schema order. */
import { getDomain, getPublicSuffix, getSubdomain } from "tldts";
import { Memo } from "../memo.js";
import type { Message, Resource } from "./parse.js";
import { className, opcodeName, optionName, rcodeName, typeName } from "./tables.js";

const FLAGS: readonly [string, number][] = [
  ["AA", 0x0400],
  ["TC", 0x0200],
  ["RD", 0x0100],
  ["RA", 0x0080],
  ["AD", 0x0020],
  ["CD", 0x0010],
];
const MAX_DATA = 8191;
const MAX_NAME = 1024;

/** Flag lists by the header's bits: a few dozen occur. */
const flagLists = new Map<number, string[] | undefined>();
function flagsOf(word: number): string[] | undefined {
  const bits = word & 0x07b0;
  if (!flagLists.has(bits)) {
    const list = FLAGS.filter(([, bit]) => bits & bit).map(([name]) => name);
    flagLists.set(bits, list.length ? list : undefined);
  }
  return flagLists.get(bits);
}

interface Parts {
  registered_domain?: string;
  subdomain?: string;
  top_level_domain?: string;
}
const domains = new Memo<Parts>(4096);
export const domainParts = (name: string): Parts => domains.get(name, () => partsOf(name));
function partsOf(name: string): Parts {
  if (name === ".") return {};
  const options = { validateHostname: false, allowPrivateDomains: false, detectIp: false, extractHostname: false } as const;
  return {
    registered_domain: getDomain(name, options) || undefined,
    subdomain: getSubdomain(name, options) || undefined,
    top_level_domain: getPublicSuffix(name, options) || undefined,
  };
}

const cut = (s: string, max: number): string => (s.length <= max ? s : s.slice(0, max));
function resources(list: readonly Resource[]): object[] | undefined {
  if (list.length === 0) return undefined;
  return list.map((r) => ({
    name: cut(r.name, MAX_NAME),
    type: typeName(r.type),
    class: className(r.class),
    ttl: r.ttl,
    data: cut(r.data, MAX_DATA),
  }));
}

/** `query` and `answer`: whichever was seen. */
export function body(query: Message | undefined, answer: Message | undefined): { body: object; ips: string[]; hosts: string[] } {
  const m = (answer ?? query) as Message;
  const questions = query?.questions.length ? query.questions : m.questions;
  const first = questions[0];
  const ips: string[] = [];
  for (const r of m.answers)
    if ((r.type === 1 || r.type === 28) && !r.data.startsWith("\\#") && r.data && !ips.includes(r.data)) ips.push(r.data);
  const hosts = questions.map((q) => cut(q.name, MAX_NAME)).filter((n) => n !== ".");
  const edns = answer?.edns ?? query?.edns;
  return {
    ips: answer ? ips : [],
    hosts,
    body: {
      dns: {
        id: String(m.id),
        type: answer ? "answer" : "query",
        op_code: opcodeName(m.opcode),
        header_flags: flagsOf(m.flags),
        response_code: answer ? rcodeName(answer.rcode) : undefined,
        question: first
          ? { name: cut(first.name, MAX_NAME), type: typeName(first.type), class: className(first.class), ...domainParts(first.name) }
          : undefined,
        question_names: questions.length ? questions.map((q) => cut(q.name, MAX_NAME)) : undefined,
        answers: resources(m.answers),
        authorities: resources(m.authorities),
        additionals: resources(m.additionals),
        resolved_ip: ips.length ? ips : undefined,
        edns: edns
          ? {
              version: edns.version,
              udp_size: edns.udpSize,
              do: edns.do,
              options: edns.options.length ? edns.options.map(optionName) : undefined,
            }
          : undefined,
      },
    },
  };
}
