/** Who may come in: users with a password and their sessions, API tokens. Passwords as scrypt, tokens and sessions as SHA-256; none is kept in clear. */
import { createHash, randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import type { Shelf } from "../catalog/shelf.js";
import { ThreatflowError } from "../errors.js";

/** From the least to the most: a viewer reads, an analyst also changes captures, an admin also lets others in and reads the audit log. */
export const ROLES = ["viewer", "analyst", "admin"] as const;
export type Role = (typeof ROLES)[number];
export const ALL_CASES = "*";
export interface Principal {
  name: string;
  role: Role;
  /** Names of cases; ALL_CASES: every one. */
  cases: readonly string[];
  /** Of a session: what a request that changes something must bring back. */
  csrf?: string;
}
export interface User {
  role: Role;
  cases: string[];
  password: string;
  /** RFC 3339. */
  added: string;
}
export interface Token {
  name: string;
  role: Role;
  cases: string[];
  hash: string;
  added: string;
  expires?: string;
}
interface Session {
  user: string;
  csrf: string;
  /** RFC 3339. */
  expires: string;
}
/** Whoever sits at this machine, where nobody has to log in. */
export const LOCAL: Principal = { name: "local", role: "admin", cases: [ALL_CASES] };
export const COOKIE = "threatflow_session";
const SESSION_MS = 12 * 3600 * 1000;
/** How long an answer to "must one log in?" is believed, ms. */
const NEEDED_MS = 1000;
const MOST = 10000;
const SHORTEST_PASSWORD = 10;
/** scrypt's cost: 2^15 × 8 × 128 bytes are 32 MiB, some 100 ms. */
const COST = { N: 1 << 15, r: 8, p: 1, maxmem: 64 << 20 };
const derive = promisify(scrypt) as (password: string, salt: Buffer, length: number, options: typeof COST) => Promise<Buffer>;

export class Access {
  private readonly shelf: Shelf;
  private readonly shared: string | undefined;
  private readonly always: boolean;
  private needed_: { at: number; answer: Promise<boolean> } | undefined;

  /**
   * `shared`: a token that lets an admin in, from the environment. `always`: nobody comes in without a login, also once the last user is removed
   * (a server that listens beyond this machine).
   */
  constructor(shelf: Shelf, shared: string | undefined, always = false) {
    this.shelf = shelf;
    this.shared = shared;
    this.always = always;
  }

  /** Once there is a user or a token, everybody has to say who he is, on this machine too: a proxy may stand before it. */
  async needed(): Promise<boolean> {
    if (this.always || this.shared !== undefined) return true;
    if (!this.needed_ || Date.now() - this.needed_.at > NEEDED_MS) this.needed_ = { at: Date.now(), answer: this.somebody() };
    return this.needed_.answer;
  }
  private async somebody(): Promise<boolean> {
    return (await this.shelf.list("user", 1)).length > 0 || (await this.shelf.list("token", 1)).length > 0;
  }

  /** Who sends this; undefined: nobody we know. */
  async principal(authorization: string | undefined, cookies: string | undefined): Promise<Principal | undefined> {
    const bearer = /^Bearer (\S+)$/i.exec(authorization ?? "")?.[1];
    if (bearer !== undefined) return this.byToken(bearer);
    const cookie = cookieOf(cookies);
    return cookie === undefined ? undefined : this.bySession(cookie);
  }
  private async byToken(bearer: string): Promise<Principal | undefined> {
    if (this.shared !== undefined && same(digest(bearer), digest(this.shared))) return { ...LOCAL, name: "THREATFLOW_TOKEN" };
    const id = /^tf_([0-9a-f]{16})_/.exec(bearer)?.[1];
    const token = id && (await this.shelf.get<Token>("token", id));
    if (!token || !same(digest(bearer), token.hash) || (token.expires !== undefined && Date.parse(token.expires) < Date.now()))
      return undefined;
    return { name: `token ${token.name}`, role: token.role, cases: token.cases };
  }
  private async bySession(cookie: string): Promise<Principal | undefined> {
    const session = await this.shelf.get<Session>("session", digest(cookie));
    if (!session || Date.parse(session.expires) < Date.now()) return undefined;
    // What a user may do is looked up each time: who is removed is out at once.
    const user = await this.shelf.get<User>("user", session.user);
    return user && { name: session.user, role: user.role, cases: user.cases, csrf: session.csrf };
  }

  /** Whether anybody could log in. */
  async possible(): Promise<boolean> {
    return this.shared !== undefined || (await this.somebody());
  }

  /** A session for the right password; undefined otherwise, after the same time whether the name is known or not. */
  async login(name: string, password: string): Promise<{ cookie: string; principal: Principal; seconds: number } | undefined> {
    const user = await this.shelf.get<User>("user", name);
    if (!(await verify(password, user?.password ?? (await nobody()))) || !user) return undefined;
    const cookie = randomBytes(32).toString("base64url");
    const csrf = randomBytes(16).toString("base64url");
    const session: Session = { user: name, csrf, expires: new Date(Date.now() + SESSION_MS).toISOString() };
    await this.shelf.put("session", digest(cookie), session);
    await this.endSessions((s) => Date.parse(s.expires) < Date.now());
    return { cookie, principal: { name, role: user.role, cases: user.cases, csrf }, seconds: SESSION_MS / 1000 };
  }
  async logout(cookies: string | undefined): Promise<void> {
    const cookie = cookieOf(cookies);
    if (cookie) await this.shelf.remove("session", digest(cookie));
  }
  private async endSessions(over: (s: Session) => boolean): Promise<void> {
    for (const { id, document } of await this.shelf.list<Session>("session", MOST))
      if (over(document)) await this.shelf.remove("session", id);
  }

  async users(): Promise<{ name: string; role: Role; cases: string[]; added: string }[]> {
    return (await this.shelf.list<User>("user", MOST)).map(({ id, document: u }) => ({
      name: id,
      role: u.role,
      cases: u.cases,
      added: u.added,
    }));
  }
  /** Makes a user, or changes one: whoever is logged in under the name is logged out. Throws USAGE. */
  async putUser(name: string, role: string, cases: readonly string[], password: string | undefined): Promise<void> {
    checkName(name);
    const there = await this.shelf.get<User>("user", name);
    if (password === undefined && !there) throw new ThreatflowError("USAGE", `${name} is new and needs a password`);
    if (password !== undefined && password.length < SHORTEST_PASSWORD)
      throw new ThreatflowError("USAGE", `a password has at least ${SHORTEST_PASSWORD} characters`);
    const user: User = {
      role: checkRole(role),
      cases: checkCases(cases),
      password: password === undefined ? (there as User).password : await hash(password),
      added: there?.added ?? new Date().toISOString(),
    };
    await this.shelf.put("user", name, user);
    if (there) await this.endSessions((s) => s.user === name);
    this.needed_ = undefined;
  }
  async removeUser(name: string): Promise<void> {
    if (!(await this.shelf.remove("user", name))) throw new ThreatflowError("NO_SUCH_USER", `there is no user ${name}`);
    await this.endSessions((s) => s.user === name);
  }
  async tokens(): Promise<({ id: string } & Omit<Token, "hash">)[]> {
    return (await this.shelf.list<Token>("token", MOST)).map(({ id, document: { hash: _, ...t } }) => ({ id, ...t }));
  }
  /** The token itself is told once, here. */
  async addToken(name: string, role: string, cases: readonly string[], ms: number | undefined): Promise<{ id: string; token: string }> {
    checkName(name);
    const id = randomBytes(8).toString("hex");
    const token = `tf_${id}_${randomBytes(24).toString("base64url")}`;
    const expires = ms === undefined ? undefined : new Date(Date.now() + ms).toISOString();
    const kept: Token = {
      name,
      role: checkRole(role),
      cases: checkCases(cases),
      hash: digest(token),
      added: new Date().toISOString(),
      expires,
    };
    await this.shelf.put("token", id, kept);
    this.needed_ = undefined;
    return { id, token };
  }
  async removeToken(id: string): Promise<void> {
    if (!(await this.shelf.remove("token", id))) throw new ThreatflowError("NO_SUCH_USER", `there is no token ${id}`);
  }
}

export const mayDo = (p: Principal, role: Role): boolean => ROLES.indexOf(p.role) >= ROLES.indexOf(role);
function checkName(name: string): void {
  if (!/^[a-zA-Z0-9][a-zA-Z0-9._@-]{0,63}$/.test(name))
    throw new ThreatflowError("USAGE", `${JSON.stringify(name)} is no name`, "letters, digits and . _ @ -, at most 64");
}
function checkRole(role: string): Role {
  if ((ROLES as readonly string[]).includes(role)) return role as Role;
  throw new ThreatflowError("USAGE", `there is no role ${JSON.stringify(role)}`, `one of ${ROLES.join(", ")}`);
}
/** Throws USAGE where one is no name of a case. */
export function checkCases(cases: readonly string[]): string[] {
  for (const c of cases)
    if (c !== ALL_CASES && !/^[a-z0-9][a-z0-9._-]{0,63}$/.test(c))
      throw new ThreatflowError("USAGE", `${JSON.stringify(c)} is no name of a case`, "small letters, digits and . _ -, at most 64");
  return [...new Set(cases)];
}

const cookieOf = (cookies: string | undefined): string | undefined =>
  new RegExp(`(?:^|;\\s*)${COOKIE}=([A-Za-z0-9_-]+)`).exec(cookies ?? "")?.[1];
const digest = (secret: string): string => createHash("sha256").update(secret).digest("hex");
const same = (a: string, b: string): boolean => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
async function hash(password: string): Promise<string> {
  const salt = randomBytes(16);
  return `scrypt$${COST.N}$${COST.r}$${COST.p}$${salt.toString("base64")}$${(await derive(password, salt, 32, COST)).toString("base64")}`;
}
let someHash: Promise<string> | undefined;
/** What the password of a name that nobody has is compared with. */
const nobody = (): Promise<string> => {
  someHash ??= hash(randomBytes(16).toString("hex"));
  return someHash;
};
async function verify(password: string, kept: string): Promise<boolean> {
  const [, N, r, p, salt, wanted] = kept.split("$");
  const got = await derive(password, Buffer.from(salt, "base64"), 32, { ...COST, N: Number(N), r: Number(r), p: Number(p) });
  return same(got.toString("base64"), wanted);
}
