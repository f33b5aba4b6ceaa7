// A browser that has granted ten thousand sessions, in the seed's storage schema.
import { randomBytes } from "node:crypto";
import { bytesToHex, concatHex, keccak256, numberToHex } from "viem";

const ABI_SESSION_VALIDATION_MODULE = "0x000006bC2eCdAe38113929293d241Cf252D91861";
const DEMO_NFT = "0x1758f42Af7026fBbB559Dc60EcE0De3ef81f665e";

const random = (bytes) => bytesToHex(randomBytes(bytes));

/** One session as the page itself makes it: `safeMint(address)` with the account as the only argument allowed. */
function leaf(account, validUntil, validAfter) {
  const key = random(20);
  const data = concatHex([
    key, DEMO_NFT, "0x40d097c3", numberToHex(0, { size: 16 }), "0x0001",
    "0x0000", "0x00", numberToHex(BigInt(account), { size: 32 }),
  ]).toLowerCase();
  return {
    validUntil,
    validAfter,
    sessionValidationModule: ABI_SESSION_VALIDATION_MODULE.toLowerCase(),
    sessionPublicKey: key,
    sessionKeyData: data,
    sessionID: randomBytes(6).toString("base64url"),
    status: "ACTIVE",
  };
}

const leafHash = ({ validUntil, validAfter, sessionValidationModule, sessionKeyData }) =>
  keccak256(concatHex([numberToHex(validUntil, { size: 6 }), numberToHex(validAfter, { size: 6 }), sessionValidationModule, sessionKeyData]));

/** Pairs sorted, leaves in their order, a last one without partner moves up (merkletreejs with `sortPairs`). */
function merkleRoot(hashes) {
  let layer = hashes;
  while (layer.length > 1) {
    const next = [];
    for (let i = 0; i < layer.length; i += 2) {
      const [a, b] = [layer[i], layer[i + 1]];
      next.push(b === undefined ? a : keccak256(a < b ? concatHex([a, b]) : concatHex([b, a])));
    }
    layer = next;
  }
  return layer[0];
}

/** The text for `<account>_sessions`, and the root that belongs on the chain; `validAfter` in unix seconds. */
export function storedSessions(account, count, validAfter = 0) {
  const validUntil = Math.floor(Date.now() / 1000) + 86_400;
  const leafNodes = Array.from({ length: count }, () => leaf(account, validUntil, validAfter));
  const root = merkleRoot(leafNodes.map(leafHash));
  return { root, key: `${account.toLowerCase()}_sessions`, text: JSON.stringify({ merkleRoot: root, leafNodes }) };
}
