/** Who saw, exported, changed and deleted what: appended, never changed. */
import { randomBytes } from "node:crypto";
import type { Shelf } from "../catalog/shelf.js";

export interface AuditEntry {
  /** RFC 3339. */
  at: string;
  who: string;
  /** Address that the request came from. */
  from: string;
  /** Method and route. */
  what: string;
  /** What it was asked of: parts of the path, and of the query those that say what was looked at. */
  of: Readonly<Record<string, string>>;
  /** HTTP status of the answer. */
  status: number;
}
export class Audit {
  private readonly shelf: Shelf;
  constructor(shelf: Shelf) {
    this.shelf = shelf;
  }
  async add(entry: Omit<AuditEntry, "at">): Promise<void> {
    const at = new Date().toISOString();
    await this.shelf.put("audit", `${at}-${randomBytes(6).toString("hex")}`, { at, ...entry });
  }
  /** The last ones, the latest first. */
  async last(most: number): Promise<AuditEntry[]> {
    return (await this.shelf.list<AuditEntry>("audit", most, true)).map((x) => x.document);
  }
}
