/** Key exchange messages at their edges. */
import { createHash } from "node:crypto";
import { agreed, hostKey, kexinit } from "./parse.js";

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
