/** The decoders, one line each. The order breaks ties between verdicts. */
import type { Decoder } from "./contract.js";
import { dns } from "./dns/index.js";
import { http } from "./http/index.js";
import { icmp } from "./icmp/index.js";
import { ssh } from "./ssh/index.js";
import { tls } from "./tls/index.js";
import { framedUpgrades } from "./upgrade/framed.js";
import { proxy } from "./upgrade/proxy.js";
import { socks } from "./upgrade/socks.js";
import { textUpgrades } from "./upgrade/text.js";

export const decoders: readonly Decoder[] = [tls, http, ssh, dns, icmp, ...textUpgrades, ...framedUpgrades, socks, proxy];
