((url) => {
	// In the top layer, above the page's own dialogs; styled from here, because the page's style may be what is broken.
	const layer = (css, role) => {
		const element = document.createElement("div");
		element.popover = "manual";
		element.role = role;
		element.style.cssText = `box-sizing:border-box;border:0;font:14px/1.5 ui-monospace,monospace;${css}`;
		return element;
	};
	const show = (element) => {
		// One that is open already cannot be opened.
		element.remove();
		// Beside the body, which is hydrated.
		document.documentElement.append(element);
		element.showPopover();
	};
	const building = layer("inset:auto auto 12px 12px;padding:4px 12px;border-radius:99px;background:#222;color:#fff", "status");
	building.dataset.testid = "dev-building";
	building.textContent = "Building …";
	const failure = layer("inset:0;width:100%;height:100%;padding:24px;overflow:auto;background:#160f0f;color:#fdd", "alert");
	failure.dataset.testid = "dev-error";
	const fail = (title, text) => {
		const hide = document.createElement("button");
		hide.textContent = "Hide";
		hide.style.cssText = "position:fixed;inset:16px 24px auto auto;padding:4px 16px;font:inherit;background:#fdd;color:#160f0f";
		hide.addEventListener("click", () => failure.remove());
		const heading = document.createElement("strong");
		heading.style.fontSize = "18px";
		heading.textContent = title;
		const said = document.createElement("pre");
		said.style.cssText = "white-space:pre-wrap;overflow-wrap:anywhere;font:inherit";
		said.textContent = text;
		failure.replaceChildren(hide, heading, said);
		show(failure);
	};
	const on = {
		building: () => show(building),
		// What is broken still is said after this.
		idle: () => {
			building.remove();
			failure.remove();
		},
		error: ({ heading, text }) => {
			building.remove();
			fail(heading, text);
		},
		style: ({ href }) => {
			failure.remove();
			// More than one while another new one is still being loaded.
			const old = [...document.querySelectorAll("#styles")];
			const style = old[0].cloneNode();
			style.href = href;
			// Older ones go when the new one is there: nothing is without style in between, and the newest stays.
			style.addEventListener("load", () => old.forEach((older) => older.remove()));
			old.at(-1).after(style);
		},
		page: () => location.reload(),
	};
	const listen = () => {
		// Events that are no message would be mixed up with those of a lost connection.
		new EventSource(url).addEventListener("message", ({ data }) => {
			const { kind, ...rest } = JSON.parse(data);
			on[kind]?.(rest);
		});
	};
	if (document.readyState === "loading") addEventListener("DOMContentLoaded", listen);
	else listen();
})
