/** What a command is given in a file, or on the standard input for `-`. */
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { messageOf } from '@strongroom/contracts';
import { UsageFault } from '../command-fault.js';

/** @throws {UsageFault} when it can't be read */
export async function textIn(path: string): Promise<string> {
  try {
    return path === '-' ? await text(process.stdin) : await readFile(path, 'utf8');
  } catch (cause) {
    throw new UsageFault(
      `${nameOf(path)} can't be read: ${messageOf(cause)}`,
      'Name another file, or - for the standard input.',
      {
        cause,
      },
    );
  }
}

/** A secret, which is the one line of a file. @param what it is, for the message @throws {UsageFault} */
export async function secretIn(path: string, what: string): Promise<string> {
  const secret = (await textIn(path)).replace(/\r?\n$/, '');
  if (secret === '' || /[\r\n]/.test(secret))
    throw new UsageFault(
      `${nameOf(path)} has no ${what} as its one line.`,
      `Write the ${what} there, and nothing else.`,
    );
  return secret;
}

/** @throws {UsageFault} when it has no JSON */
export async function jsonIn(path: string): Promise<unknown> {
  const content = await textIn(path);
  try {
    return JSON.parse(content);
  } catch (cause) {
    throw new UsageFault(
      `${nameOf(path)} has no JSON: ${messageOf(cause)}`,
      'See what a request has: strongroom api /openapi.json',
      { cause },
    );
  }
}

/** A file in a message. */
export function nameOf(path: string): string {
  return path === '-' ? 'The standard input' : path;
}
