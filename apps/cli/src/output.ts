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
