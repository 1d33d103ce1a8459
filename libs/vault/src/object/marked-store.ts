/** A store of objects as the identity of its vault needs it. */
import type { VaultIdentity } from '../vault.js';
import { layoutOfObjects, type MarkedStore, markerName } from '../vault-marker.js';
import { type ObjectStore, WriteRefused } from './object-store.js';
import { digestOf, smallObject } from './small-objects.js';
import { tryStore } from './store-trial.js';

/** For so long the marker is locked, which nobody removes: so it is known whether the store locks anything. */
const triedLockMs = 60_000;

export class MarkedStoreOfObjects implements MarkedStore {
  readonly advice = {
    whenShared:
      'Give each region a bucket of its own in STRONGROOM_VAULTS, or a prefix of its own: the same bucket and prefix',
    whenAway: 'See that STRONGROOM_VAULTS names its bucket and its prefix, and no other.',
  };
  readonly where: string;
  readonly layout: MarkedStore['layout'];

  constructor(
    readonly region: string,
    private readonly store: ObjectStore,
  ) {
    this.where = store.locationOf('');
    this.layout = store.isFolder ? layoutOfObjects : 'any';
  }

  doing<T>(_what: string, operations: () => Promise<T>): Promise<T> {
    return operations();
  }

  async read(signal: AbortSignal): Promise<Buffer | undefined> {
    return (await smallObject(this.store, markerName, signal))?.bytes;
  }

  async make(bytes: Buffer, signal: AbortSignal): Promise<boolean> {
    try {
      // When there is one already, that one counts.
      await this.store.put(markerName, bytes, { sha256: digestOf(bytes), if: 'absent' }, signal);
      await this.tryLock(signal);
      return true;
    } catch (error) {
      if (error instanceof WriteRefused) return false;
      throw error;
    }
  }

  async tried(isMarked: boolean, signal: AbortSignal): Promise<Pick<VaultIdentity, 'isReadOnly'>> {
    try {
      await tryStore(this.region, this.store, signal);
      if (isMarked) await this.tryLock(signal);
    } catch (error) {
      // A process that may only read keeps nothing apart here either.
      if (!(error instanceof WriteRefused)) throw error;
      return { isReadOnly: true };
    }
    return {};
  }

  /** Otherwise each backup would be stored as a whole before it fails for want of a lock. */
  private async tryLock(signal: AbortSignal): Promise<void> {
    await this.store.keepUntil(markerName, new Date(Date.now() + triedLockMs), signal);
  }
}
