/**
 * Has a store of objects keep a sealed backup from everybody until a time. The manifest is locked first, because a removal looks at its
 * lock before it begins. The last object is locked when all others are: its lock says that none of them was left out, though whoever
 * locks may be killed amid it.
 */
import { allKeys, isEncrypted, keysNames, manifestObjectName } from '@strongroom/contracts';
import type { SealedManifest } from '../vault.js';
import { InFlight } from './in-flight.js';
import { piecesOf } from './object-layout.js';
import type { ObjectReader } from './object-reader.js';
import type { ObjectStore } from './object-store.js';

/** So many objects are locked at a time. */
const atATime = 8;

/** A sealed backup in its place. */
export interface LockedPlace extends Pick<SealedManifest, 'manifest'> {
  reader: ObjectReader;
  pieceBytes: number;
}

export class ObjectLocks {
  constructor(
    private readonly store: ObjectStore,
    private readonly signal: AbortSignal,
  ) {}

  /** @returns false when the store can't do that @throws {VaultFault} `object-missing` */
  async keep(place: LockedPlace, until: Date): Promise<boolean> {
    const { reader } = place;
    const keep = (name: string) => this.store.keepUntil(reader.keyOf(name), until, this.signal);
    const mustKeep = async (name: string) => {
      if (!(await keep(name))) throw reader.missing(name);
    };
    if (!(await keep(manifestObjectName))) return false;
    const names = besideManifest(place);
    const last = names.pop();
    const locking = new InFlight(atATime, this.signal);
    for (const name of names) await locking.add(() => mustKeep(name));
    await locking.done();
    if (last !== undefined) await mustKeep(last);
    return true;
  }

  /** Until when the store keeps every object of the backup; undefined when it does not. */
  async keptUntil(place: LockedPlace): Promise<Date | undefined> {
    const last = besideManifest(place).at(-1);
    const first = await this.lockOf(place.reader, manifestObjectName);
    if (first === undefined || last === undefined) return first;
    const whole = await this.lockOf(place.reader, last);
    return whole !== undefined && whole > first ? first : whole;
  }

  /** Until when the store keeps one object, by its own clock; undefined when it does not. */
  async lockOf(reader: ObjectReader, name: string): Promise<Date | undefined> {
    return (await this.store.head(reader.keyOf(name), this.signal))?.lockedUntil;
  }
}

/** The names of the objects beside the manifest, the keys at the end. */
function besideManifest({ manifest, pieceBytes }: LockedPlace): string[] {
  const pieces = manifest.objects.flatMap((object) => piecesOf(object, pieceBytes).map(({ name }) => name));
  return isEncrypted(manifest) ? [...pieces, ...allKeys.map((of) => keysNames[of])] : pieces;
}
