/**
 * How often one thing may be changed. Whoever decides on it reads its whole history, so a history that grew with each request of a
 * client would make the requests of all others slow in the end. What is asked too often is refused before the history is read.
 */
import type { EventType, StreamName } from '@strongroom/contracts';
import type { Ledger } from '@strongroom/ledger';
import type { Caller } from './caller.js';
import { HttpFault } from './http-fault.js';

export const mostChangesADay = 200;

/**
 * @param what names the thing, such as `Schedule 1f…`
 * @param changes the types of events that clients cause by their changes. Others count for nothing
 * @throws {HttpFault} overLimit, with the time after which one of the changes is a day old
 */
export async function mustNotChangeTooOften(
  ledger: Ledger,
  { accountId }: Caller,
  what: { name: string; stream: StreamName },
  changes: readonly EventType[],
): Promise<void> {
  const seconds = await ledger.untilFewer(accountId, what.stream, changes, mostChangesADay);
  if (seconds === undefined) return;
  const message = `${what.name} was changed or asked for ${mostChangesADay} times within a day, which is as often as it may be. Ask again in ${seconds} s.`;
  throw new HttpFault('overLimit', message, { 'retry-after': String(seconds) });
}
