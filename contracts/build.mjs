// Compiles contracts/src with solc from npm into contracts/out/artifacts.json: { name: { abi, bytecode } }.
// Nothing is done when sources, settings and compiler are those of the last run.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const sourceRoot = join(here, "src");
const outDir = join(here, "out");
const artifactsFile = join(outDir, "artifacts.json");
const stampFile = join(outDir, "inputs.sha256");
const require = createRequire(join(here, "..", "end2end", "package.json"));

const settings = {
  // without it the session modules run out of stack slots
  viaIR: true,
  optimizer: { enabled: true, runs: 10_000 },
  evmVersion: "paris",
  metadata: { bytecodeHash: "none", appendCBOR: false },
  outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } },
};

function readSources() {
  const sources = {};
  const names = readdirSync(sourceRoot, { recursive: true }).filter((name) => name.endsWith(".sol")).sort();
  for (const name of names) {
    const path = join(sourceRoot, name);
    sources[relative(sourceRoot, path).split(sep).join("/")] = { content: readFileSync(path, "utf8") };
  }
  return sources;
}

function compile(input) {
  const solc = require("solc");
  const output = JSON.parse(solc.compile(JSON.stringify(input)));
  const messages = output.errors ?? [];
  for (const message of messages) process.stderr.write(message.formattedMessage + "\n");
  if (messages.some((message) => message.severity === "error")) process.exit(1);
  const artifacts = {};
  for (const contracts of Object.values(output.contracts)) {
    for (const [name, contract] of Object.entries(contracts)) {
      const bytecode = contract.evm.bytecode.object;
      // interfaces, libraries without code and abstract contracts have nothing to place
      if (bytecode.length > 0 && contract.abi.length > 0) {
        artifacts[name] = { abi: contract.abi, bytecode: `0x${bytecode}` };
      }
    }
  }
  return artifacts;
}

const input = { language: "Solidity", sources: readSources(), settings };
const compilerVersion = JSON.parse(readFileSync(require.resolve("solc/package.json"), "utf8")).version;
const stamp = createHash("sha256").update(JSON.stringify({ compilerVersion, input })).digest("hex");

const upToDate =
  existsSync(artifactsFile) && existsSync(stampFile) && readFileSync(stampFile, "utf8").trim() === stamp;
if (!upToDate) {
  const artifacts = compile(input);
  mkdirSync(outDir, { recursive: true });
  // written beside and renamed: a lab that starts meanwhile never reads half a file
  writeFileSync(`${artifactsFile}.tmp`, JSON.stringify(artifacts, null, 1) + "\n");
  renameSync(`${artifactsFile}.tmp`, artifactsFile);
  writeFileSync(stampFile, stamp + "\n");
  process.stdout.write(`contracts: compiled ${Object.keys(artifacts).length} with solc ${compilerVersion}\n`);
}
