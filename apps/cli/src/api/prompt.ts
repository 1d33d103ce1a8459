/** Asks the person at the terminal. Questions go to the standard error, because the standard output is for data. */
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { printable } from '@strongroom/contracts';
import { Interrupted, UsageFault } from '../command-fault.js';

export interface Terminal {
  input: NodeJS.ReadableStream & { isTTY?: boolean };
  output: NodeJS.WritableStream & { isTTY?: boolean };
}

const ownTerminal: Terminal = { input: process.stdin, output: process.stderr };

export function isAtTerminal({ input, output }: Terminal = ownTerminal): boolean {
  return input.isTTY === true && output.isTTY === true;
}

/**
 * One line that is typed. With `hidden`, it is not shown.
 * @throws {Interrupted} by Ctrl-C
 * @throws {UsageFault} when the input ends without a line
 */
export function lineTyped(
  question: string,
  { hidden = false, terminal = ownTerminal }: { hidden?: boolean; terminal?: Terminal } = {},
): Promise<string> {
  const { input, output } = terminal;
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  output.write(printable(question));
  const lines = createInterface({ input, output: hidden ? nowhere : output, terminal: true });
  return new Promise<string>((resolve, reject) => {
    lines.once('SIGINT', () => reject(new Interrupted('SIGINT')));
    lines.once('line', resolve);
    lines.once('close', () => reject(new UsageFault('Nothing was typed.', 'Run it again, and type a line.')));
  }).finally(() => {
    lines.close();
    // What is typed when nothing is shown does not move the cursor to the next line either.
    if (hidden) output.write('\n');
  });
}
