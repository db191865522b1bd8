/**
 * What decoders keep, written out and read back. State is plain data in objects of known classes; what it only refers to (the shard's sinks,
 * settings, the decoders themselves) has a place in a list that is the same on both sides. Shared objects stay shared within one value.
 *
 * A value is written as JSON: what has a place in it is an array that begins with what it is (below), then its items or fields. The names of
 * fields are written once, with the first block that needs them.
 */
import { types } from "node:util";
import type { StateClass } from "../decoders/contract.js";
import { decoders } from "../decoders/registry.js";
import { latin1, TextNotes } from "../records/text.js";
import { sharedList } from "./brief.js";
import { DatagramFlow } from "./datagram-flow.js";
import { Flow } from "./flow.js";
import { Half } from "./half.js";
import { StreamFlow } from "./stream-flow.js";

/** What an array stands for, where it is not an object's: then it begins with the number of its shape. */
const OUTSIDE = -1;
const LIST = -2;
const MAP = -3;
const BYTES = -4;
/** The object that was the so manieth of the value. */
const AGAIN = -5;
const UNDEFINED = [-6] as const;
const NUMBER = -7;
const BIGINT = -8;

/** The class (none: a plain object) and the names of its fields. */
interface Shape {
  name: string;
  keys: readonly string[];
  prototype: object;
}

export class StateCodec {
  private readonly classes = new Map<string, object>();
  private readonly names = new Map<object, string>();
  private readonly outside: readonly object[];
  private readonly places: ReadonlyMap<object, number>;
  private readonly shapes: Shape[] = [];
  private readonly shapesOf = new Map<object, number[]>();
  /** So many shapes were written. */
  private told = 0;

  /** `outside`: objects and functions that state refers to, in an order that writer and reader share. */
  constructor(outside: readonly object[], classes: Readonly<Record<string, StateClass>>) {
    this.outside = [...outside, ...decoders];
    this.places = new Map(this.outside.map((o, n) => [o, n]));
    this.know("", Object.prototype);
    for (const [name, c] of Object.entries({ ...classes, Flow, StreamFlow, DatagramFlow, Half, TextNotes })) this.know(name, c.prototype);
    for (const d of decoders) for (const [n, c] of d.state.entries()) this.know(`${d.name}.${n}`, c.prototype);
  }
  private know(name: string, prototype: object): void {
    this.classes.set(name, prototype);
    this.names.set(prototype, name);
  }

  /** A block; those before it must be read before it. */
  encode(value: unknown): Buffer {
    const plain = this.plain(value, new Map());
    const fresh = this.shapes.slice(this.told).map(({ name, keys }) => [name, keys]);
    this.told = this.shapes.length;
    return Buffer.from(JSON.stringify([fresh, plain]));
  }
  decode(bytes: Uint8Array): unknown {
    const [fresh, plain] = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString());
    for (const [name, keys] of fresh) this.shape(this.prototypeOf(name), keys);
    return this.living(plain, []);
  }
  /** The same for this codec alone, as a text: the form that takes the least memory. */
  text(value: unknown): string {
    return JSON.stringify(this.plain(value, new Map()));
  }
  fromText(text: string): unknown {
    return this.living(JSON.parse(text), []);
  }

  private prototypeOf(name: string): object {
    const prototype = this.classes.get(name);
    if (!prototype) throw new TypeError(`state of a class that is not known here: ${name}`);
    return prototype;
  }
  private shape(prototype: object, keys: readonly string[]): number {
    const known = this.shapesOf.get(prototype) ?? [];
    for (const n of known) if (sameKeys(this.shapes[n].keys, keys)) return n;
    const name = this.names.get(prototype);
    if (name === undefined) throw new TypeError(`state holds a ${prototype?.constructor?.name ?? "stranger"}`);
    this.shapesOf.set(prototype, [...known, this.shapes.length]);
    return this.shapes.push({ name, keys, prototype }) - 1;
  }

  private plain(v: unknown, seen: Map<object, number>): unknown {
    switch (typeof v) {
      case "undefined":
        return UNDEFINED;
      case "number":
        return Number.isFinite(v) ? v : [NUMBER, String(v)];
      case "bigint":
        return [BIGINT, String(v)];
      case "object":
      case "function":
        break;
      default:
        return v;
    }
    if (v === null) return v;
    const known = seen.get(v);
    if (known !== undefined) return [AGAIN, known];
    const place = this.places.get(v);
    if (place !== undefined) return [OUTSIDE, place];
    if (typeof v === "function") throw new TypeError("state holds a function");
    seen.set(v, seen.size);
    if (Array.isArray(v)) {
      const to: unknown[] = [LIST];
      for (const x of v) to.push(this.plain(x, seen));
      return to;
    }
    if (types.isUint8Array(v)) return v.length ? [BYTES, latin1(v)] : [BYTES];
    if (types.isMap(v)) {
      const to: unknown[] = [MAP];
      for (const [k, x] of v) to.push(this.plain(k, seen), this.plain(x, seen));
      return to;
    }
    const keys = Object.keys(v);
    const to: unknown[] = [this.shape(Object.getPrototypeOf(v), keys)];
    for (const k of keys) to.push(this.plain((v as Record<string, unknown>)[k], seen));
    return to;
  }

  private living(v: unknown, seen: object[]): unknown {
    if (typeof v !== "object" || v === null) return v;
    const from = v as [number, ...unknown[]];
    const what = from[0];
    switch (what) {
      case UNDEFINED[0]:
        return undefined;
      case NUMBER:
        return Number(from[1]);
      case BIGINT:
        return BigInt(from[1] as string);
      case AGAIN:
        return seen[from[1] as number];
      case OUTSIDE:
        return this.outside[from[1] as number];
      case BYTES:
        return note(seen, new Uint8Array(Buffer.from((from[1] ?? "") as string, "latin1")));
      case LIST: {
        const to: unknown[] = note(seen, []);
        for (let i = 1; i < from.length; i++) to.push(this.living(from[i], seen));
        return to;
      }
      case MAP: {
        const to = note(seen, new Map());
        for (let i = 1; i < from.length; i += 2) to.set(this.living(from[i], seen), this.living(from[i + 1], seen));
        return to;
      }
    }
    const { keys, prototype } = this.shapes[what];
    const to: Record<string, unknown> = note(seen, prototype === Object.prototype ? {} : Object.create(prototype));
    for (let i = 0; i < keys.length; i++) to[keys[i]] = this.living(from[i + 1], seen);
    if (to instanceof Half) to.settle();
    if (to instanceof Flow) to.protocols = sharedList(to.protocols);
    return to;
  }
}

function sameKeys(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
function note<T extends object>(seen: object[], to: T): T {
  seen.push(to);
  return to;
}
