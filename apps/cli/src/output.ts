/**
 * What the commands print. Much of it was said by strangers: names of servers, of tables and of files, and what a vault holds. Nothing
 * of it moves the cursor of a terminal, or turns the direction of writing around.
 */
import { printable, printableJson } from '@strongroom/contracts';

/** Prints text, which ends with a line. */
export function say(text: string): void {
  process.stdout.write(`${printable(text)}\n`);
}

/** Prints text for people, beside what programs read. */
export function note(text: string): void {
  process.stderr.write(`${printable(text)}\n`);
}

/** Prints a value as JSON. */
export function sayJson(value: unknown, indent?: number): void {
  process.stdout.write(`${printableJson(value, indent)}\n`);
}

/** A stranger's text within a line. It begins no line of its own. */
export function inLine(text: string): string {
  return printable(text).replaceAll(/[\n\t]/g, ' ');
}

/** Prints a part of a text, whose lines end elsewhere. */
export function sayPart(text: string): void {
  process.stdout.write(printable(text));
}

/** A line for people that the next one takes the place of. Where it cannot be drawn over, nothing is printed. */
export function noteOver(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${inLine(text)}\u001b[K`);
}

/** Removes the line of `noteOver`. */
export function noteNothing(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
}

/** Prints a value as a line of JSON, beside what programs read as the result. */
export function noteJson(value: unknown): void {
  process.stderr.write(`${printableJson(value)}\n`);
}
