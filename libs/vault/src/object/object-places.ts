/** Removes places from a store of objects: those that no longer count (see `isDead`). It decides nothing, and counts what it removes. */
import type { Removed } from '../vault.js';
import { folderOf } from './object-layout.js';
import { type FoundState, isDead } from './object-state.js';
import type { ObjectStore } from './object-store.js';

/** So many objects are removed by one call. */
const atOnce = 1_000;

interface Place {
  bytes: number;
  changedAt: Date;
}

export class ObjectPlaces {
  constructor(
    private readonly region: string,
    private readonly store: ObjectStore,
  ) {}

  /**
   * Removes the places of the backup that no longer count under the state that was found.
   * @param before only what has not changed since then is removed. Default: everything
   */
  async clear(backupId: string, found: FoundState, signal: AbortSignal, before?: Date): Promise<Removed> {
    const removed: Removed = { places: 0, bytes: 0 };
    for (const [name, { bytes, changedAt }] of await this.of(backupId, signal)) {
      if (!isDead(found, name) || (before && changedAt >= before)) continue;
      await this.remove(backupId, name, signal);
      removed.places += 1;
      removed.bytes += bytes;
    }
    return removed;
  }

  async remove(backupId: string, place: string, signal: AbortSignal): Promise<void> {
    let keys: string[] = [];
    const remove = async () => {
      const those = keys;
      keys = [];
      if (those.length > 0) await this.store.delete(those, signal);
    };
    for await (const { key } of this.store.list(`${folderOf(backupId, this.region)}/${place}/`, signal)) {
      if (keys.push(key) === atOnce) await remove();
    }
    await remove();
  }

  /** The places in which something lies, sealed or not. */
  async of(backupId: string, signal: AbortSignal): Promise<Map<string, Place>> {
    const prefix = `${folderOf(backupId, this.region)}/`;
    const places = new Map<string, Place>();
    for await (const { key, bytes, putAt } of this.store.list(prefix, signal)) {
      const [name = '', inside] = key.slice(prefix.length).split('/');
      if (inside === undefined) continue;
      const before = places.get(name);
      places.set(name, {
        bytes: (before?.bytes ?? 0) + bytes,
        changedAt: before && before.changedAt > putAt ? before.changedAt : putAt,
      });
    }
    return places;
  }
}
