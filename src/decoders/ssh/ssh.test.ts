/** Key exchange messages at their edges. */
import { createHash } from "node:crypto";
import { agreed, hostKey, type Kexinit, kexinit } from "./parse.js";
import { body } from "./record.js";

const string = (b: Buffer | string): Buffer => {
  const data = Buffer.from(b);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(data.length);
  return Buffer.concat([size, data]);
};
test("a host key's hash is that of ssh-keygen -l; what is no key has none", () => {
  const blob = Buffer.concat([string("ssh-ed25519"), string(Buffer.alloc(32, 7))]);
  const key = hostKey(string(blob));
  expect(key).toEqual({ type: "ssh-ed25519", sha256: createHash("sha256").update(blob).digest("base64").replace(/=+$/, "") });
  expect(hostKey(string(Buffer.concat([string("abcd")])))?.type).toBe("abcd"); // eight bytes: the shortest
  expect(hostKey(string(Buffer.alloc(7)))).toBeUndefined();
  expect(hostKey(string(Buffer.concat([string("no key \x01"), Buffer.alloc(8)])))).toBeUndefined();
  expect(hostKey(string(blob).subarray(0, 20))).toBeUndefined();
});
test("KEXINIT: ten lists, hashes of both directions, what does not fit is refused", () => {
  const lists = ["kex-a,kex-b", "key-a", "c2s-enc", "s2c-enc", "c2s-mac", "s2c-mac", "c2s-comp", "s2c-comp", "", ""];
  const payload = Buffer.concat([Buffer.alloc(16), ...lists.map(string), Buffer.from([1, 0, 0, 0, 0])]);
  const md5 = (text: string): string => createHash("md5").update(text).digest("hex");
  expect(kexinit(payload)).toEqual({
    kex: ["kex-a", "kex-b"],
    hostKey: ["key-a"],
    cipher: [["c2s-enc"], ["s2c-enc"]],
    mac: [["c2s-mac"], ["s2c-mac"]],
    compression: [["c2s-comp"], ["s2c-comp"]],
    firstFollows: true,
    hassh: [md5("kex-a,kex-b;c2s-enc;c2s-mac;c2s-comp"), md5("kex-a,kex-b;s2c-enc;s2c-mac;s2c-comp")],
  });
  expect(kexinit(payload.subarray(0, payload.length - 20))).toBeUndefined();
  expect(agreed(["a", "b", "c"], ["c", "b"])).toBe("b");
  expect(agreed(["a"], ["c"])).toBeUndefined();
});
test("what was agreed, each direction by itself: the client's first that the server has; AEAD ciphers need no MAC", () => {
  const side = (n: number, gcm: string): Kexinit => ({
    kex: [`only-${n}`, "kex"],
    hostKey: ["ssh-ed25519"],
    cipher: [[gcm], [`x-${n}`, "aes256-ctr"]],
    mac: [["mac-a"], ["mac-b"]],
    compression: [["none"], ["zlib"]],
    firstFollows: false,
    hassh: [`to-server-${n}`, `to-client-${n}`],
  });
  const gcm = "aes128-gcm@openssh.com";
  expect(body({ versions: ["SSH-2.0-a", "SSH-2.0-b"], kex: [side(1, gcm), side(2, gcm)], hostKey: "key", established: true })).toEqual({
    ssh: {
      kex_algorithm: "kex",
      host_key_algorithm: "ssh-ed25519",
      established: true,
      client: { version: "SSH-2.0-a", hassh: "to-server-1", cipher: gcm, mac: undefined, compression: "none" },
      server: {
        version: "SSH-2.0-b",
        hassh: "to-client-2",
        cipher: "aes256-ctr",
        mac: "mac-b",
        compression: "zlib",
        host_key: { sha256: "key" },
      },
    },
  });
  const alone = body({ versions: ["SSH-2.0-a", undefined], kex: [side(1, gcm), undefined], hostKey: undefined, established: false });
  expect(alone).toEqual({
    ssh: {
      kex_algorithm: undefined,
      host_key_algorithm: undefined,
      established: false,
      client: { version: "SSH-2.0-a", hassh: "to-server-1", cipher: undefined, mac: undefined, compression: undefined },
      server: undefined,
    },
  });
});
