/** Draws bars, and tables that fit the terminal: their columns are aligned, with numbers to the right. */

export interface Column {
  title: string;
  /** Shortens the column when the table is too wide. The first column that has this is shortened first. */
  shorten?: (text: string) => string;
}

const gap = '  ';
const barWidth = 24;

/** @returns the lines of a table that is no wider than `width`, as far as its columns can be shortened */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): string[] {
  let cells = rows;
  for (const [index, { shorten }] of columns.entries()) {
    if (widthOf(columns, cells) <= width) break;
    if (shorten) cells = cells.map((row) => row.map((cell, column) => (column === index ? shorten(cell) : cell)));
  }
  const widths = widthsOf(columns, cells);
  const isNumber = columns.map((_, column) => cells.every((row) => /^[\d.,]*$/.test(row[column] ?? '')));
  const line = (row: readonly string[]) =>
    `${gap}${row.map((cell, column) => padded(cell, widths[column] ?? 0, isNumber[column] === true)).join(gap)}`.trimEnd();
  return [
    line(columns.map(({ title }) => title)),
    `${gap}${widths.map((each) => '─'.repeat(each)).join(gap)}`,
    ...cells.map(line),
  ];
}

/** Shortens a long word to its beginning and its end. */
export function ends(head: number, tail: number): (text: string) => string {
  return (text) =>
    text.length > head + tail + 1 ? `${text.slice(0, head)}…${tail > 0 ? text.slice(-tail) : ''}` : text;
}

/** @param percent 0 to 100; only 100 fills the bar */
export function bar(percent: number): { full: string; empty: string; text: string } {
  const full = percent >= 100 ? barWidth : Math.min(barWidth - 1, Math.floor((percent / 100) * barWidth));
  return { full: '█'.repeat(full), empty: '░'.repeat(barWidth - full), text: `${String(percent).padStart(3)} %` };
}

function padded(cell: string, width: number, isNumber: boolean): string {
  return isNumber ? cell.padStart(width) : cell.padEnd(width);
}

function widthsOf(columns: readonly Column[], rows: readonly (readonly string[])[]): number[] {
  return columns.map(({ title }, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)));
}

function widthOf(columns: readonly Column[], rows: readonly (readonly string[])[]): number {
  return widthsOf(columns, rows).reduce((sum, each) => sum + gap.length + each, 0);
}
