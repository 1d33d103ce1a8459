/** What the terminal shows: calm lines, and, where it is a terminal, a few that are drawn over while something goes on. */
const isTerminal = process.stdout.isTTY === true;
const style = (code: string) => (text: string) =>
  isTerminal && !process.env.NO_COLOR ? `\u001b[${code}m${text}\u001b[0m` : text;

export const bold = style('1');
export const dim = style('2');
export const green = style('32');
export const yellow = style('33');
export const red = style('31');

let drawn = 0;
let lastDrawn = '';

export function say(line = ''): void {
  clear();
  process.stdout.write(`${line}\n`);
}

/** A step that is done: what, and how long it took. */
export function done(what: string, detail: string, seconds: number): void {
  say(`  ${green('✓')} ${what.padEnd(26)} ${dim(detail)} ${dim(`${seconds.toFixed(1)} s`)}`);
}

/** Draws lines over those drawn before; without a terminal, writes them when they have changed. */
export function draw(lines: string[]): void {
  const text = lines.join('\n');
  if (!isTerminal) {
    if (text !== lastDrawn) process.stdout.write(`${text}\n`);
    lastDrawn = text;
    return;
  }
  clear();
  process.stdout.write(`${text}\n`);
  drawn = lines.length;
}

/** Lets what is drawn stay. */
export function settle(): void {
  drawn = 0;
  lastDrawn = '';
}

function clear(): void {
  if (drawn > 0) process.stdout.write(`\u001b[${drawn}A\u001b[J`);
  drawn = 0;
}

const barWidth = 24;

export function bar(percent: number): string {
  const full = Math.round((percent / 100) * barWidth);
  return `${'█'.repeat(full)}${dim('░'.repeat(barWidth - full))} ${String(percent).padStart(3)} %`;
}

/** A table with aligned columns; numbers to the right. */
export function table(head: string[], rows: string[][]): string[] {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)));
  const isNumber = head.map((_, column) => rows.every((row) => /^[\d.,]+$/.test(row[column] ?? '')));
  const line = (cells: string[]) =>
    `  ${cells.map((cell, column) => (isNumber[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0))).join('  ')}`.trimEnd();
  return [line(head), `  ${widths.map((width) => '─'.repeat(width)).join('  ')}`, ...rows.map(line)];
}
