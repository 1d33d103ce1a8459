/** Asks before something is destroyed: the person types the name or the id of what goes. A script says `--yes`. */
import { UsageFault } from '../command-fault.js';
import type { DestructiveOptions } from './api-options.js';
import { isAtTerminal, lineTyped, type Terminal } from './prompt.js';

/**
 * @param what is going to happen, as a whole sentence
 * @param names any of which is to be typed
 * @throws {UsageFault} when it was not allowed
 */
export async function mustBeConfirmed(
  what: string,
  names: readonly string[],
  { input }: Pick<DestructiveOptions, 'input'>,
  terminal?: Terminal,
): Promise<void> {
  if (!input || !isAtTerminal(terminal))
    throw new UsageFault(`${what} Nobody can be asked here, so nothing was done.`, 'Run it again with --yes to do it.');
  const typed = await lineTyped(`${what}\nType ${names.join(' or ')} to do it: `, { ...(terminal && { terminal }) });
  if (!names.includes(typed.trim()))
    throw new UsageFault(
      'Something else was typed. Nothing was done.',
      `Run it again, and type ${names.join(' or ')}.`,
    );
}

/** Whether somebody is to be asked. */
export function isToBeAsked({ yes, dryRun }: DestructiveOptions): boolean {
  return !yes && !dryRun;
}
