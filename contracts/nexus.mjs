// Fetches the real Nexus for the local chain: the creation codes of implementation, factory, bootstrap and proxy out of one
// file of one published tarball, into contracts/out/nexus.json. Byte code of others is never committed here.
//
// Not a dependency of package.json: the package's own dependencies are git repositories, and none of them is needed. `npm
// pack` takes the one tarball from whatever registry npm is set to, and the integrity pinned here decides if it is the one.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGE = "@rhinestone/modulekit@0.5.9";
const INTEGRITY = "sha512-Zc5Qo3dkyVhBo7OQRKOltYd+jlGCtV18TWSmpSvIdXKwUgo5xj8zL73wAwFKTww00zt/wXMbW6Z6ysIQWH3Ezw==";
const FILE = "package/src/deployment/precompiles/NexusPrecompiles.sol";
const CODES = {
  implementation: "NEXUS_BYTECODE",
  factory: "NEXUS_ACCOUNT_FACTORY_BYTECODE",
  bootstrap: "NEXUS_BOOTSTRAP_BYTECODE",
  proxy: "NEXUS_PROXY_BYTECODE",
};

const outDir = join(dirname(fileURLToPath(import.meta.url)), "out");
const outFile = join(outDir, "nexus.json");

function integrityOf(bytes) {
  return `sha512-${createHash("sha512").update(bytes).digest("base64")}`;
}

/** The text of the one file, after the tarball that holds it was checked. */
function sourceText() {
  const folder = mkdtempSync(join(tmpdir(), "use-aa-nexus-"));
  try {
    // no script of the package runs
    const words = ["pack", PACKAGE, "--ignore-scripts", "--silent", "--pack-destination", folder];
    execFileSync("npm", words, { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
    const name = readdirSync(folder).find((entry) => entry.endsWith(".tgz"));
    if (!name) throw new Error(`npm pack ${PACKAGE} left no tarball`);
    const tarball = join(folder, name);
    const integrity = integrityOf(readFileSync(tarball));
    if (integrity !== INTEGRITY) throw new Error(`${PACKAGE} is not the pinned one: ${integrity} instead of ${INTEGRITY}`);
    return execFileSync("tar", ["-xzOf", tarball, FILE], { encoding: "utf8", maxBuffer: 16 * 1024 * 1024 });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function creationCode(text, name) {
  const found = text.match(new RegExp(`\\b${name}\\s*=\\s*hex"([0-9a-f]+)"`));
  if (!found) throw new Error(`${PACKAGE}: there is no ${name} in ${FILE}`);
  return `0x${found[1]}`;
}

function isPresent() {
  if (!existsSync(outFile)) return false;
  try {
    return JSON.parse(readFileSync(outFile, "utf8")).integrity === INTEGRITY;
  } catch {
    return false; // half a file of an older run
  }
}

if (!isPresent()) {
  const text = sourceText();
  const codes = Object.fromEntries(Object.entries(CODES).map(([part, name]) => [part, creationCode(text, name)]));
  mkdirSync(outDir, { recursive: true });
  // written beside and renamed: a lab that starts meanwhile never reads half a file
  writeFileSync(`${outFile}.tmp`, JSON.stringify({ package: PACKAGE, integrity: INTEGRITY, ...codes }, null, 1) + "\n");
  renameSync(`${outFile}.tmp`, outFile);
  process.stdout.write(`contracts: Nexus taken from ${PACKAGE}\n`);
}
