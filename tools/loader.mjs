// loader.mjs: mends the chunk loader that wasm-split 0.2.3 writes, in target/site/pkg, with its .br and .gz.
//
// A chunk is fetched at once and looked at when the chunks that it needs are there. When it cannot be fetched and they
// still travel, nobody has looked: the browser reports an uncaught "TypeError: Failed to fetch" beside the error that
// the page shows. So somebody looks, and leaves the error to the loader. Fails when the loader is written in another
// way: then look whether it still needs this.
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const pkg = resolve(import.meta.dirname, "../target/site/pkg");
const name = readdirSync(pkg).find((file) => /^__wasm_split\..*\.js$/.test(file));
if (!name) throw new Error(`${pkg} has no loader of chunks`);
const path = resolve(pkg, name);
const fetched = /(const src = fetch\(new URL\("[^"]+", import\.meta\.url\)\);\n)/g;
const caught = "    src.catch(() => {});\n";
const before = readFileSync(path, "utf8").replaceAll(caught, "");
const fetches = before.match(fetched)?.length ?? 0;
if (fetches === 0) throw new Error(`${name} fetches in another way than wasm-split 0.2.3 does`);
const after = before.replace(fetched, `$1${caught}`);
writeFileSync(path, after);
if (existsSync(`${path}.br`)) {
  writeFileSync(`${path}.br`, brotliCompressSync(after, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
}
if (existsSync(`${path}.gz`)) writeFileSync(`${path}.gz`, gzipSync(after, { level: 9 }));
