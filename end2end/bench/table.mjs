// Numbers, and the table they are printed in.

const at = (numbers, share) => [...numbers].sort((a, b) => a - b)[Math.min(numbers.length - 1, Math.floor(numbers.length * share))];
export const median = (numbers) => at(numbers, 0.5);

/** "73 ms (p95 91)" */
export const ms = (numbers) => `${median(numbers).toFixed(0)} ms (p95 ${at(numbers, 0.95).toFixed(0)})`;
export const kB = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;

export async function repeat(times, work) {
  const results = [];
  for (let i = 0; i < times; i++) results.push(await work());
  return results;
}

/** Durations of tasks that blocked the page. */
export const tasks = (durations) =>
  durations.length ? `${durations.length}, longest ${Math.max(...durations).toFixed(0)} ms` : "none";

export class Table {
  #rows = [];

  row(what, value, goal = "") {
    this.#rows.push([what, value, goal]);
  }

  print(title) {
    const wide = (column) => Math.max(...this.#rows.map((row) => row[column].length));
    const [first, second] = [wide(0), wide(1)];
    console.log(`\n== ${title}`);
    for (const [what, value, goal] of this.#rows) {
      console.log(`${what.padEnd(first)}  ${value.padEnd(second)}  ${goal && `goal ${goal}`}`.trimEnd());
    }
  }
}
