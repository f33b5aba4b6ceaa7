// Grants and uses as a person makes them, timed inside the page.

/** Installed before the page's own scripts: notes every request for sending, and tasks that block the page. */
export function instrument() {
  const bench = (window.__bench = { sent: [], long: [], seen: [] });
  const { fetch } = window;
  window.fetch = function (resource, ...rest) {
    if (String(resource?.url ?? resource).includes("/api/fn/send_user_operation")) bench.sent.push(performance.now());
    return fetch.call(this, resource, ...rest);
  };
  // When the list was asked for its rows (an empty one is in the page), and when the first of them was there.
  const seen = new MutationObserver(() => {
    if (document.querySelector("ul.sessions")) bench.listAsked ??= performance.now();
    if (!document.querySelector('[data-testid="session-row"]')) return;
    bench.firstRow = performance.now();
    seen.disconnect();
  });
  seen.observe(document, { subtree: true, childList: true });
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) bench.long.push({ startTime, duration });
  }).observe({ type: "longtask", buffered: true });
}

/** As a browser in which somebody chose this kind of account (`account-kind` in the header). For contexts without pages. */
export async function withKind(context, kind) {
  await context.addInitScript((kind) => localStorage.setItem("use_aa_account_kind", kind), kind);
}

export async function connect(page, url) {
  await page.goto(url);
  await page.getByTestId("connect-wallet").click();
  await page.getByTestId("wallet-option-lab").click();
  const account = page.getByTestId("smart-account-address");
  await account.waitFor();
  return account.getAttribute("data-value");
}

/**
 * Milliseconds from the click on `button` until the operation is on its way (`sent`), until a fresh hash is in the
 * page (`shown`, on the clock of this machine `shownAt`), and the tasks over 50 ms in between.
 */
async function clickToHash(page, button, hash) {
  return page.evaluate(
    ([button, hash]) =>
      new Promise((done, fail) => {
        const find = (id) => document.querySelector(`[data-testid="${id}"]`);
        const value = () => find(hash)?.getAttribute("data-value") ?? null;
        const before = value();
        const sentBefore = window.__bench.sent.length;
        const start = performance.now();
        const give = setTimeout(() => fail(new Error(`no ${hash} in 30 s: ${find("error")?.textContent ?? "no error shown"}`)), 30000);
        const observer = new MutationObserver(() => {
          if (!value() || value() === before) return;
          observer.disconnect();
          clearTimeout(give);
          const end = performance.now();
          // What follows the hash (store, list) belongs to the grant, too.
          setTimeout(() => {
            const { sent, long } = window.__bench;
            done({
              hash: value(),
              sent: sent[sentBefore] - start,
              shown: end - start,
              shownAt: performance.timeOrigin + end,
              long: long.filter((task) => task.startTime + task.duration > start).map((task) => task.duration),
            });
          }, 250);
        });
        observer.observe(document.body, { subtree: true, childList: true, attributes: true });
        find(button).click();
      }),
    [button, hash],
  );
}

/** Opens the review, lets the person read it, and measures from the click on "Sign and grant". */
export async function grant(page) {
  await page.getByTestId("create-session").click();
  await page.getByTestId("grant-confirm").waitFor();
  await page.waitForTimeout(400); // a person reads the review
  return clickToHash(page, "grant-confirm", "create-session-hash");
}

/** Measures one use. With `aim` the pointer comes to the button first, as it does before any click of a person. */
export async function use(page, aim = true) {
  if (aim) {
    await page.getByTestId("use-session").hover();
    await page.waitForTimeout(120); // between reaching a button and pressing it people take longer
  }
  const measured = await clickToHash(page, "use-session", "use-session-hash");
  if (aim) await page.mouse.move(0, 0);
  return measured;
}
