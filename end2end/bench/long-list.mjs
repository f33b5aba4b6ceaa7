// The list of ten thousand sessions: when its rows are there, and how fluently it filters and scrolls.
import { ms, repeat, tasks } from "./table.mjs";

/** `/sessions` with the same leaves: when rows are there, and how fluently they scroll. */
export async function longList(page, { url }, table, { RUNS, LEAVES }) {
  const opened = await repeat(Math.min(RUNS, 5), async () => {
    await page.goto(`${url}/sessions`);
    await page.getByTestId("session-row").first().waitFor();
    return page.evaluate(() => window.__bench.firstRow - window.__bench.listAsked);
  });
  table.row(`/sessions: ${LEAVES.toLocaleString("en")} leaves, code there -> rows shown`, ms(opened), "< 300 ms");
  await page.waitForTimeout(1_500); // compared with the chain, heights measured
  const narrowed = await repeat(Math.min(RUNS, 9), () =>
    page.evaluate(async () => {
      const filter = (name) => document.querySelector(`[data-testid="session-filter"][data-filter="${name}"]`);
      const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
      filter("ACTIVE").click();
      await frame();
      const start = performance.now();
      filter("ALL").click();
      await frame();
      return performance.now() - start;
    }));
  table.row("  filter: click -> painted", ms(narrowed));
  const scrolled = await page.evaluate(async () => {
    const before = window.__bench.long.length;
    let rows = 0;
    const end = document.documentElement.scrollHeight;
    // A wheel turned fast, and then leaps as with the scroll bar.
    for (let step = 0; step < 120; step++) {
      window.scrollBy(0, step < 90 ? 600 : end / 30);
      await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
      rows = Math.max(rows, document.querySelectorAll('[data-testid="session-row"]').length);
    }
    await new Promise((done) => setTimeout(done, 300));
    return { long: window.__bench.long.slice(before).map((task) => task.duration), rows };
  });
  table.row("  scrolled through: tasks over 50 ms", tasks(scrolled.long), "none");
  table.row("  scrolled through: most rows in the document", String(scrolled.rows));
}
