/** Handshake → record body, in schema order. */
import { TextNotes, wireText } from "../../records/text.js";
import { type ClientHello, ja3, ja3s, ja4, type ServerHello } from "./hello.js";
import { groupName, isGrease, suiteName, versionOf } from "./tables.js";
import type { Certificate } from "./x509.js";

export interface Handshake {
  client: ClientHello | undefined;
  server: ServerHello | undefined;
  group: number | undefined;
  chains: [Certificate[], Certificate[]];
  alerts: string[];
  established: boolean;
  resumed: boolean | undefined;
  version: number | undefined;
}

const MAX_SUITES = 512;
const list = <T>(a: readonly T[]): readonly T[] | undefined => (a.length ? a : undefined);

function certificateFields(chain: readonly Certificate[]): object | undefined {
  const c = chain[0];
  if (!c) return undefined;
  return {
    subject: c.subject || undefined,
    issuer: c.issuer || undefined,
    not_before: c.notBefore,
    not_after: c.notAfter,
    hash: { sha256: c.sha256, sha1: c.sha1 },
  };
}
function x509(chain: readonly Certificate[]): object | undefined {
  const c = chain[0];
  if (!c?.serial) return undefined;
  return {
    serial_number: c.serial,
    subject: c.subjectCommonNames.length ? { common_name: c.subjectCommonNames } : undefined,
    issuer: c.issuerCommonNames.length ? { common_name: c.issuerCommonNames } : undefined,
    alternative_names: list(c.alternativeNames),
    public_key_algorithm: c.keyAlgorithm,
    public_key_size: c.keySize,
    public_key_curve: c.keyCurve,
    signature_algorithm: c.signatureAlgorithm,
    version_number: c.version,
  };
}

export function body(h: Handshake): { body: object; hosts: (string | undefined)[]; hashes: (string | undefined)[] } {
  const { client, server } = h;
  const offered = client && Math.max(client.version, ...client.versions.filter((v) => !isGrease(v) && v <= 0x0304));
  const number = server ? (server.selected ?? server.version) : (offered ?? h.version);
  const version = number === undefined ? undefined : versionOf(number);
  const j3 = client && ja3(client);
  const j4 = client && ja4(client, "t");
  const j3s = server && ja3s(server);
  const group = server?.group ?? h.group;
  const clientPart = {
    server_name: client?.serverName || undefined,
    ja3: j3,
    ja4: j4,
    supported_ciphers: client && list(client.ciphers.slice(0, MAX_SUITES).map(suiteName)),
    alpn: client && list(client.alpn.slice(0, 64).flatMap((a) => wireText(a, 256, client.notes) || [])),
    ech: client ? client.ech : undefined,
    ...certificateFields(h.chains[0]),
    x509: x509(h.chains[0]),
  };
  const chain = h.chains[1];
  const serverPart = {
    ja3s: j3s,
    ...certificateFields(chain),
    certificate_chain_hashes: list(chain.map((c) => c.sha256)),
    x509: x509(chain),
  };
  return {
    hosts: [client?.serverName],
    hashes: [j3, j4, j3s, chain[0]?.sha256, h.chains[0][0]?.sha256],
    body: {
      tls: {
        version: version?.[0],
        version_protocol: version?.[1],
        cipher: server ? suiteName(server.cipher) : undefined,
        curve: group === undefined ? undefined : groupName(group),
        established: h.established,
        resumed: h.resumed,
        next_protocol: (server?.alpn && wireText(server.alpn, 64, client?.notes ?? new TextNotes())) || undefined,
        alert: list(h.alerts),
        client: client || h.chains[0].length ? clientPart : undefined,
        server: server || chain.length ? serverPart : undefined,
      },
    },
  };
}
