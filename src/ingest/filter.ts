/** The filter of an import: a libpcap expression compiled for each link type, or a pasted program that belongs to one. */
import { readFileSync } from "node:fs";
import { addon } from "../engine/native.js";
import { systemError, ThreatflowError } from "../errors.js";
import { linktypeName } from "../records/protocols.js";

const SNAPLEN = 262144;

export interface Filter {
  /** What stands in the import key: the expression, or the program in canonical form. */
  readonly text: string;
  /** A verified program for this link type. */
  program(linktype: number): Uint32Array;
}

/** `@file` reads the filter from a file; what looks like `tcpdump -dd` or `-ddd` output is a program; the rest is an expression. */
export function readFilter(given: string): Filter {
  let text = given;
  if (given.startsWith("@")) {
    try {
      text = readFileSync(given.slice(1), "utf8");
    } catch (error) {
      throw systemError(error, given.slice(1));
    }
  }
  const pasted = parseProgram(text);
  return pasted ? programFilter(pasted) : expressionFilter(text.trim());
}

function expressionFilter(text: string): Filter {
  const compiled = new Map<number, Uint32Array>();
  const compile = (linktype: number): Uint32Array => {
    try {
      return addon.compileFilter(text, linktype, SNAPLEN);
    } catch (error) {
      const why = (error as Error).message;
      throw new ThreatflowError(
        "FILTER_SYNTAX",
        `filter ${JSON.stringify(text)} for link type ${linktypeName(linktype)}: ${why}`,
        "see `man pcap-filter`; programs are pasted as `tcpdump -dd` prints them",
      );
    }
  };
  compile(1); // what cannot be compiled at all is said before anything is read
  return {
    text,
    program(linktype) {
      let p = compiled.get(linktype);
      if (!p) {
        p = compile(linktype);
        compiled.set(linktype, p);
      }
      return p;
    },
  };
}

/** A pasted program carries no link type: it belongs to the first one that is met. */
function programFilter(words: Uint32Array): Filter {
  const violations = addon.verifyFilter(words);
  if (violations.length) {
    const v = violations[0];
    throw new ThreatflowError(
      "FILTER_INVALID",
      `the filter program breaks a rule of the kernel at instruction ${v.at}: ${v.what}`,
      "paste all lines that `tcpdump -dd` printed",
    );
  }
  const rows: string[] = [];
  for (let i = 0; i < words.length; i += 4) rows.push(`${words[i]} ${words[i + 1]} ${words[i + 2]} ${words[i + 3]}`);
  let owner: number | undefined;
  return {
    text: `program ${rows.join(",")}`,
    program(linktype) {
      owner ??= linktype;
      if (owner !== linktype)
        throw new ThreatflowError(
          "FILTER_LINKTYPE",
          `the capture has packets of link type ${linktypeName(linktype)} beside ${linktypeName(owner)}; a pasted program fits one link type only`,
          "give the filter as an expression, which is compiled for each link type",
        );
      return words;
    },
  };
}

/**
 * `tcpdump -dd` ({ 0x28, 0, 0, 0x0000000c }, with or without braces), `-ddd` (a count line, then decimal rows), iptables bytecode
 * ("n,c t f k,…"). Undefined: this is no program.
 */
export function parseProgram(text: string): Uint32Array | undefined {
  const bare = text
    .replace(/\/\*[\s\S]*?\*\//g, " ")
    .replace(/\/\/.*$/gm, " ")
    .trim();
  if (!/^[\s{}(),;0-9a-fA-FxX]+$/.test(bare) || !/\d/.test(bare)) return undefined;
  const numbers = (s: string): number[] => (s.match(/0[xX][0-9a-fA-F]+|\d+/g) ?? []).map((n) => Number(n));
  const wordCheck = bare.replace(/0[xX][0-9a-fA-F]+|\d+/g, "");
  if (/[0-9a-zA-Z]/.test(wordCheck)) return undefined;
  let all = numbers(bare);
  if (all.length % 4 === 1 && all[0] === (all.length - 1) / 4) all = all.slice(1);
  if (all.length === 0 || all.length % 4 !== 0) return undefined;
  for (let i = 0; i < all.length; i += 4)
    if (all[i] > 0xffff || all[i + 1] > 255 || all[i + 2] > 255 || all[i + 3] > 0xffffffff) return undefined;
  return Uint32Array.from(all);
}
