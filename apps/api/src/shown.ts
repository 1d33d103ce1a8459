/** One resource as an answer shows it, read anew: to who made it, asks for it, or sends the request that made it again. */
import type { Operation } from '@strongroom/contracts';
import type { Reads } from './reads.js';

/** @throws {HttpFault} itemNotFound */
export async function shownSchedule(reads: Reads, accountId: string, id: string) {
  const [schedule] = await reads.scheduleResources([await reads.schedule(accountId, id)]);
  return { schedule };
}

/** @throws {HttpFault} itemNotFound */
export async function shownBackup(reads: Reads, accountId: string, id: string) {
  const [backup] = await reads.backupResources([await reads.backup(accountId, id)]);
  return { backup };
}

/** @throws {HttpFault} itemNotFound */
export async function shownInstance(reads: Reads, accountId: string, id: string) {
  const [instance] = await reads.instanceResources(accountId, [await reads.instance(accountId, id)]);
  return { instance };
}

type Show = (reads: Reads, accountId: string, id: string) => Promise<object>;
const shownBy = new Map<string, Show>([
  ['/v1.0/{accountId}/schedules', shownSchedule],
  ['/v1.0/{accountId}/backups', shownBackup],
  ['/v1.0/{accountId}/instances', shownInstance],
]);

/**
 * What the operation answers that has made the resource; nothing, where its answer is empty.
 * @throws {HttpFault} itemNotFound when the resource is gone
 */
export async function shownAsMade(reads: Reads, { path, response }: Operation, accountId: string, id: string) {
  if (!response) return undefined;
  const shown = shownBy.get(path);
  if (!shown) throw new TypeError(`nobody knows how to show what ${path} makes`);
  return shown(reads, accountId, id);
}
