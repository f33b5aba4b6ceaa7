((root, folder, script, wasm) => {
	const begin = async () => {
		const page = await import(`${root}/${folder}/${script}.js`);
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
		await page.default({ module_or_path: `${root}/${folder}/${wasm}.wasm` });
		page.hydrate();
		await walk(document.body);
	};
	if (window.requestIdleCallback) {
		window.requestIdleCallback(begin);
	} else {
		begin();
	}
})
