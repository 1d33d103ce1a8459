/** Finds the backups of which a store of objects holds something. */
import { ofBackup } from './object-layout.js';
import type { ObjectStore } from './object-store.js';

export interface FoundBackup {
  backupId: string;
  /** Those in which something lies. */
  places: Set<string>;
  /** When its newest object was put, by the store's clock. */
  changedAt: Date;
}

/** Memory use does not grow with their number. */
export async function* backupsUnder(
  store: ObjectStore,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<FoundBackup> {
  let one: FoundBackup | undefined;
  for await (const { key, putAt } of store.list(prefix, signal)) {
    signal.throwIfAborted();
    const found = ofBackup(key);
    if (!found) continue;
    if (one?.backupId !== found.backupId) {
      if (one) yield one;
      one = { backupId: found.backupId, places: new Set(), changedAt: putAt };
    }
    if (putAt > one.changedAt) one.changedAt = putAt;
    const [place = '', inside] = found.rest.split('/');
    if (inside !== undefined) one.places.add(place);
  }
  if (one) yield one;
}
