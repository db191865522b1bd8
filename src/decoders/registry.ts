/** The decoders, one line each. The order breaks ties between verdicts. */
import type { Decoder } from "./contract.js";
import { dns } from "./dns/index.js";
import { http } from "./http/index.js";
import { icmp } from "./icmp/index.js";
import { ssh } from "./ssh/index.js";
import { tls } from "./tls/index.js";

export const decoders: readonly Decoder[] = [tls, http, ssh, dns, icmp];
