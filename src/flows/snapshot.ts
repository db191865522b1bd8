/**
 * What decoders keep, written out and read back. State is plain data in objects of known classes; what it only refers to (the shard's sinks,
 * settings, the decoders themselves) has a place in a list that is the same on both sides. Shared objects stay shared within one value.
 */
import { types } from "node:util";
import { deserialize, serialize } from "node:v8";
import type { StateClass } from "../decoders/contract.js";
import { decoders } from "../decoders/registry.js";
import { TextNotes } from "../records/text.js";
import { DatagramFlow } from "./datagram-flow.js";
import { Flow } from "./flow.js";
import { Half } from "./half.js";
import { StreamFlow } from "./stream-flow.js";

/** Stands in an encoded value for an object of a class (with its fields) or for what is not part of the state. */
const CLASS = "\0class";
const OUTSIDE = "\0outside";

export class StateCodec {
  private readonly classes = new Map<string, object>();
  private readonly names = new Map<object, string>();
  private readonly outside: readonly object[];
  private readonly places: ReadonlyMap<object, number>;

  /** `outside`: objects and functions that state refers to, in an order that writer and reader share. */
  constructor(outside: readonly object[], classes: Readonly<Record<string, StateClass>>) {
    this.outside = [...outside, ...decoders];
    this.places = new Map(this.outside.map((o, n) => [o, n]));
    for (const [name, c] of Object.entries({ ...classes, Flow, StreamFlow, DatagramFlow, Half, TextNotes })) this.know(name, c.prototype);
    for (const d of decoders) for (const [n, c] of d.state.entries()) this.know(`${d.name}.${n}`, c.prototype);
  }
  private know(name: string, prototype: object): void {
    this.classes.set(name, prototype);
    this.names.set(prototype, name);
  }

  encode(value: unknown): Buffer {
    return serialize(this.plain(value, new Map()));
  }
  decode(bytes: Uint8Array): unknown {
    return this.living(deserialize(bytes), new Map());
  }

  private plain(v: unknown, seen: Map<object, unknown>): unknown {
    if ((typeof v !== "object" && typeof v !== "function") || v === null) return v;
    const known = seen.get(v);
    if (known !== undefined) return known;
    const place = this.places.get(v);
    if (place !== undefined) return note(seen, v, { [OUTSIDE]: place });
    if (types.isUint8Array(v)) return note(seen, v, Uint8Array.from(v));
    if (Array.isArray(v)) {
      const to: unknown[] = note(seen, v, []);
      for (const x of v) to.push(this.plain(x, seen));
      return to;
    }
    if (types.isMap(v)) {
      const to = note(seen, v, new Map());
      for (const [k, x] of v) to.set(this.plain(k, seen), this.plain(x, seen));
      return to;
    }
    const prototype = Object.getPrototypeOf(v);
    const fields: Record<string, unknown> = {};
    if (prototype === Object.prototype) note(seen, v, fields);
    else {
      const name = this.names.get(prototype);
      if (name === undefined)
        throw new TypeError(`state holds a ${typeof v === "function" ? "function" : (prototype?.constructor?.name ?? "stranger")}`);
      note(seen, v, { [CLASS]: name, fields });
    }
    for (const [k, x] of Object.entries(v)) fields[k] = this.plain(x, seen);
    return seen.get(v);
  }

  private living(v: unknown, seen: Map<object, unknown>): unknown {
    if (typeof v !== "object" || v === null) return v;
    const known = seen.get(v);
    if (known !== undefined) return known;
    if (types.isUint8Array(v)) return note(seen, v, Uint8Array.from(v)); // apart from the bytes that it was read from
    if (Array.isArray(v)) {
      const to: unknown[] = note(seen, v, []);
      for (const x of v) to.push(this.living(x, seen));
      return to;
    }
    if (types.isMap(v)) {
      const to = note(seen, v, new Map());
      for (const [k, x] of v) to.set(this.living(k, seen), this.living(x, seen));
      return to;
    }
    const o = v as Record<string, unknown>;
    if (OUTSIDE in o) return note(seen, v, this.outside[o[OUTSIDE] as number]);
    const prototype = CLASS in o ? this.classes.get(o[CLASS] as string) : Object.prototype;
    if (!prototype) throw new TypeError(`state of a class that is not known here: ${o[CLASS]}`);
    const to: Record<string, unknown> = note(seen, v, Object.create(prototype));
    for (const [k, x] of Object.entries(CLASS in o ? (o.fields as object) : o)) to[k] = this.living(x, seen);
    if (to instanceof Half) to.settle();
    return to;
  }
}

function note<T>(seen: Map<object, unknown>, from: object, to: T): T {
  seen.set(from, to);
  return to;
}
