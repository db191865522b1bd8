/** Bytes → a question. Pure: no state, no clock; says what it needs, never throws. */
import { TextNotes, wireText } from "../../records/text.js";

/** A longer line is no question. */
export const MAX_QUESTION = 1024;
const LF = 10;
const CR = 13;

export interface Question {
  text: string;
  /** Bytes of the line with its end. */
  length: number;
  notes: TextNotes;
}

/** The question at the beginning of `b`; `more`: its end has not come; `none`: these bytes are none. */
export function parseQuestion(b: Uint8Array): Question | "more" | "none" {
  const end = b.indexOf(LF);
  if (end < 0) return b.length > MAX_QUESTION ? "none" : "more";
  if (end > MAX_QUESTION) return "none";
  const notes = new TextNotes();
  const text = wireText(b.subarray(0, b[end - 1] === CR ? end - 1 : end), MAX_QUESTION, notes);
  return { text, length: end + 1, notes };
}
