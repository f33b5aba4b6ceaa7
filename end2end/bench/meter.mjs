// What a page fetches, as it travels: headers and bodies, compressed. For the benchmarks and for the budget's test.

/**
 * Counts from now on; call it before the page is opened. Files are the page itself and its code and style; what it asks
 * its server counts as bytes only.
 */
export async function meter(page) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Network.enable");
  const sizes = new Map(), names = new Map();
  devtools.on("Network.responseReceived", ({ requestId, response }) => {
    names.set(requestId, new URL(response.url).pathname);
    sizes.set(requestId, response.encodedDataLength);
  });
  // A stream has no end while it is looked at.
  devtools.on("Network.dataReceived", ({ requestId, encodedDataLength }) =>
    sizes.set(requestId, (sizes.get(requestId) ?? 0) + encodedDataLength));
  devtools.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => sizes.set(requestId, encodedDataLength));
  return () => {
    const fetched = [...names].filter(([id]) => sizes.get(id) > 0);
    const files = fetched.map(([, name]) => name).filter((name) => name === "/" || name.startsWith("/pkg/"));
    return { bytes: fetched.reduce((sum, [id]) => sum + sizes.get(id), 0), files: files.length, names: files };
  };
}

/** As a browser does it whose person asked to save data. For contexts that have opened no page yet. */
export async function saveData(context) {
  await context.setExtraHTTPHeaders({ "Save-Data": "on" });
  await context.addInitScript(() =>
    Object.defineProperty(navigator, "connection", { value: { saveData: true }, configurable: true }));
}
