/** Blanks between columns, and what a column has at least with them: Docker's. */
const GAP = 3;
const LEAST_WIDTH = 10;

/** Lines of columns, as Docker prints them. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? LEAST_WIDTH - GAP, width(cell))));
  const padded = (cell: string, i: number) => cell + ' '.repeat((widths[i] ?? 0) + GAP - width(cell));
  return rows.map((row) => `${row.map(padded).join('').trimEnd()}\n`).join('');
}

function width(cell: string): number {
  return Array.from(cell).length;
}
