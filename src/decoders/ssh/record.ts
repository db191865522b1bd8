/** Connection → record body, in schema order. */
import { cutText } from "../../records/text.js";
import { agreed, type Kexinit } from "./parse.js";

export interface Connection {
  versions: [string | undefined, string | undefined];
  kex: [Kexinit | undefined, Kexinit | undefined];
  hostKey: string | undefined;
  established: boolean;
}

/** Ciphers that bring their own integrity: the negotiated MAC is not used. */
const AEAD = /^(aes(128|256)-gcm@openssh\.com|chacha20-poly1305(@openssh\.com)?|AEAD_AES_(128|256)_GCM)$/;
const short = (s: string | undefined, max = 128): string | undefined => (s && cutText(s, max)) || undefined;

export function body(c: Connection): object {
  const [a, b] = c.kex;
  const both = a && b;
  const direction = (d: 0 | 1): object => {
    const cipher = both && agreed(a.cipher[d], b.cipher[d]);
    return {
      cipher: short(cipher),
      mac: both && !(cipher && AEAD.test(cipher)) ? short(agreed(a.mac[d], b.mac[d])) : undefined,
      compression: both ? short(agreed(a.compression[d], b.compression[d])) : undefined,
    };
  };
  return {
    ssh: {
      kex_algorithm: both ? short(agreed(a.kex, b.kex)) : undefined,
      host_key_algorithm: both ? short(agreed(a.hostKey, b.hostKey)) : undefined,
      established: c.established,
      client: c.versions[0] || a ? { version: short(c.versions[0], 256), hassh: a?.hassh[0], ...direction(0) } : undefined,
      server:
        c.versions[1] || b
          ? {
              version: short(c.versions[1], 256),
              hassh: b?.hassh[1],
              ...direction(1),
              host_key: c.hostKey ? { sha256: c.hostKey } : undefined,
            }
          : undefined,
    },
  };
}
