((root, folder, script, wasm) => {
	// The page says why nothing on it works, and what helps (`components/stopped_notice.rs`).
	const stopped = (why) => (document.documentElement.dataset.stopped = why);
	// The smallest module: missing in Lockdown Mode, refused by policies.
	const runsWasm = () => {
		try {
			return new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)) instanceof WebAssembly.Module;
		} catch {
			return false;
		}
	};
	const load = async () => {
		try {
			const page = await import(`${root}/${folder}/${script}.js`);
			await page.default({ module_or_path: `${root}/${folder}/${wasm}.wasm` });
			return page;
		} catch (error) {
			// An old browser does not understand all of it.
			const { CompileError, LinkError } = WebAssembly;
			stopped([CompileError, LinkError].some((kind) => error instanceof kind) ? "wasm" : "load");
			console.error(error);
		}
	};
	const begin = async () => {
		if (!runsWasm()) return stopped("wasm");
		const page = await load();
		if (!page) return;
		const hydrate = async (element, name, enter) => {
			const island = page[name];
			if (!island) {
				console.warn(`the page's script has no island ${name}`);
				return;
			}
			// A translator may have been quicker: hydration needs the text nodes that it wrapped.
			for (const font of element.querySelectorAll("font")) {
				if (font.closest("leptos-island, leptos-children") === element) font.replaceWith(font.textContent);
			}
			enter?.();
			await island(element);
		};
		// In the order of the document. What an island was given as its children is inside of it: there its context is
		// entered again before each island.
		const walk = async (element, enter) => {
			if (element.localName === "leptos-island") {
				await hydrate(element, element.dataset.component, enter);
			}
			const inside = element.localName === "leptos-children" ? element.$$on_hydrate : enter;
			for (const child of element.children) {
				await walk(child, inside);
			}
		};
		// Leptos calls this for islands that come later.
		window.__hydrateIsland = (element, name) => hydrate(element, name);
		page.hydrate();
		await walk(document.body);
	};
	if (window.requestIdleCallback) {
		window.requestIdleCallback(begin);
	} else {
		begin();
	}
})
