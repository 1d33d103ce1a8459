/** The codes that the command line ends with: each has one meaning, for scripts, and never gets another. */
import type { Next } from './command-fault.js';
import { note } from './output.js';

export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  incomplete: 3,
  notFound: 10,
  busy: 11,
  credentials: 12,
  altered: 13,
  interrupted: 130,
} as const;
export type Ending = keyof typeof exitCodes;

const meaningOf: Readonly<Record<Ending, string>> = {
  done: 'It was done.',
  failed: 'It could not be done, or what was asked for is not so.',
  usage: 'The call was wrong. Nothing was done.',
  incomplete: 'Some of it was done, and the rest could not be done or was not waited for.',
  notFound: 'There is no such thing.',
  busy: 'Something else is in the way, or the service is away. The same call may do it later.',
  credentials: 'A token, a password or a key is missing, is wrong, or does not allow it.',
  altered: 'What was read is not what was stored.',
  interrupted: 'It was interrupted.',
};

/** Every code with its meaning, for the pages. */
export const exitCodeList = (Object.keys(exitCodes) as Ending[]).map((ending) => ({
  code: exitCodes[ending],
  meaning: meaningOf[ending],
}));

/** The codes in one line, as the help shows them. */
export const codesInShort = (Object.keys(exitCodes) as Ending[])
  .map((ending) => `${exitCodes[ending]} ${ending === 'notFound' ? 'not found' : ending}`)
  .join(', ');

/** Has a command end so though it has printed what it has found. @param next is said beside that */
export function endWith(ending: Exclude<Ending, 'done'>, next: Next): void {
  process.exitCode = exitCodes[ending];
  note(next);
}
