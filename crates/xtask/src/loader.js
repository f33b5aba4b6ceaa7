import { initSync } from "SCRIPT";

// What the parts need of the first one, which is running by then.
let shared;
const imports = () => {
	if (!shared) {
		const { memory, __indirect_function_table, __wasm_split_shared0 } = initSync(undefined, undefined);
		shared = { PARTS: { memory, __indirect_function_table, __wasm_split_shared0 } };
	}
	return shared;
};
// Loads a file once. What failed is tried again by whoever asks next.
const part = (url) => {
	let loading;
	const load = () =>
		(loading ??= WebAssembly.instantiateStreaming(fetch(url), imports()).catch((error) => {
			loading = undefined;
			throw error;
		}));
	// Into the browser's cache, and no further: a phone has better to do than to compile what may not be wanted.
	load.ahead = () => loading ?? fetch(url, { priority: "low" }).then((response) => response.arrayBuffer()).catch(() => {});
	return load;
};
// How the wasm hears that a part is there, or that it is not.
const told = (load) => async (callback, data) => {
	let there = true;
	try {
		await load();
	} catch (error) {
		there = false;
		console.error(error);
	}
	imports().PARTS.__indirect_function_table.get(callback)(data, there);
};
const whenIdle = (fetchAhead) => {
	const begin = () => {
		if (navigator.connection?.saveData) return;
		if (window.requestIdleCallback) requestIdleCallback(fetchAhead, { timeout: 5_000 });
		else setTimeout(fetchAhead, 1_000);
	};
	// What the page itself needs comes first.
	if (document.readyState === "complete") begin();
	else addEventListener("load", begin, { once: true });
};
