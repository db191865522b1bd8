/** Every error that a user can meet, once: a stable code, what happened, and what to do about it. */
export type ErrorCode =
  | "NO_SUCH_FILE"
  | "IS_A_DIRECTORY"
  | "EMPTY_FILE"
  | "NOT_A_CAPTURE"
  | "NOT_READABLE"
  | "NOT_WRITABLE"
  | "DISK_FULL"
  | "QUOTA"
  | "COMPRESSION"
  | "FILTER_SYNTAX"
  | "FILTER_INVALID"
  | "FILTER_LINKTYPE"
  | "QUERY_SYNTAX"
  | "QUERY_FIELD"
  | "NO_SUCH_CAPTURE"
  | "NO_SUCH_FLOW"
  | "ALREADY_IMPORTED_OTHERWISE"
  | "NO_EVIDENCE"
  | "EVIDENCE_CHANGED"
  | "CANCELLED"
  | "REDIS"
  | "ELASTICSEARCH"
  | "STORE"
  | "NO_SUCH_JOB"
  | "WORKER_CRASH"
  | "NO_SUCH_INTERFACE"
  | "NOT_PERMITTED"
  | "NO_SUCH_USER"
  | "HELD"
  | "HOOK"
  | "CAPTURE"
  | "USAGE"
  | "INTERNAL";

/** An error with a code and a remedy. `message` is one line; `remedy` says what to do next. */
export class ThreatflowError extends Error {
  readonly code: ErrorCode;
  readonly remedy: string;
  /** It may pass by itself. */
  readonly passing: boolean;
  constructor(code: ErrorCode, message: string, remedy = "", passing = false) {
    super(message);
    this.name = "ThreatflowError";
    this.code = code;
    this.remedy = remedy;
    this.passing = passing;
  }
}

const SYSTEM: Record<string, [ErrorCode, string, string]> = {
  ENOENT: ["NO_SUCH_FILE", "no such file", "check the path"],
  EISDIR: ["IS_A_DIRECTORY", "is a directory", "name a capture file in it"],
  EACCES: ["NOT_READABLE", "permission denied", "check who owns it and its mode"],
  EPERM: ["NOT_WRITABLE", "not permitted", "check who owns it and its mode"],
  EROFS: ["NOT_WRITABLE", "read-only file system", "name a folder that can be written"],
  ENOTDIR: ["NO_SUCH_FILE", "a part of the path is no directory", "check the path"],
  EEXIST: ["NOT_WRITABLE", "something of another kind stands there", "name another folder"],
  ENOSPC: ["DISK_FULL", "no space left on the device", "free some space and run the same command again"],
  EDQUOT: ["DISK_FULL", "disk quota exceeded", "free some space and run the same command again"],
  EMFILE: ["INTERNAL", "too many open files", "raise `ulimit -n`"],
};

/** Turns a system error met at `path` into one of ours; other errors come back as they are. */
export function systemError(error: unknown, path: string): unknown {
  const code = (error as { code?: string } | null)?.code;
  const known = code === undefined ? undefined : SYSTEM[code];
  return known ? new ThreatflowError(known[0], `${path}: ${known[1]}`, known[2]) : error;
}
