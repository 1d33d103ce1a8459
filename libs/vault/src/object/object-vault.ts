/**
 * A vault in a store of objects: `object-layout.ts` says where things lie in it. The state of a backup says which place of an attempt
 * counts, and what lies in a place is never changed. So whoever comes late writes where nobody looks.
 */
import { Readable } from 'node:stream';
import { type KeysOf, keysNames, manifestObjectName } from '@strongroom/contracts';
import { AttemptsApart } from '../attempts-apart.js';
import type { BucketLock } from '../bucket-lock.js';
import { readManifest } from '../manifest.js';
import { onSealed } from '../on-sealed.js';
import {
  type BeginOptions,
  type ByteRange,
  type HeldBackup,
  type InsideStore,
  type ListedBackup,
  type Progress,
  type Removed,
  type SealedManifest,
  type StoredKeys,
  Vault,
  type VaultIdentity,
  type VaultMemory,
  type VaultUpload,
} from '../vault.js';
import { isSpoilt, notHeld, VaultFault } from '../vault-fault.js';
import { VaultMarker } from '../vault-marker.js';
import { backupsUnder } from './backups-under.js';
import { MarkedStoreOfObjects } from './marked-store.js';
import { allBackups, folderOf, newestOf, placeOf, shardPrefix, usualPieceBytes } from './object-layout.js';
import { type LockedPlace, ObjectLocks } from './object-locks.js';
import { ObjectPlaces } from './object-places.js';
import { ObjectReader } from './object-reader.js';
import {
  type FoundState,
  isDead,
  type NextState,
  ObjectStates,
  type OpenPlace,
  type SealedPlace,
} from './object-state.js';
import type { ChunkMemory, ObjectStore } from './object-store.js';
import { ObjectUpload } from './object-upload.js';
import { digestOf, newUuid } from './small-objects.js';

/** After this many changes by others, a change gives up. Each of them is an attempt, and attempts are few. */
const mostConflicts = 20;
const chunkBytes = 131_072;
const never = new AbortController().signal;

export class ObjectVault extends Vault {
  private readonly states: ObjectStates;
  private readonly places: ObjectPlaces;
  private readonly locks: ObjectLocks;
  private readonly marker: VaultMarker;
  private readonly apart: AttemptsApart;
  private readonly pieceBytes: number;
  /** Ends every call of the store, but those of uploads, which have their own. */
  private readonly signal: AbortSignal;

  /** @param pieceBytes the size of the first pieces of an object. Default: 16 MiB */
  constructor(
    readonly region: string,
    private readonly store: ObjectStore,
    pieceBytes = usualPieceBytes,
    { marker, signal }: { marker?: VaultMarker; signal?: AbortSignal } = {},
  ) {
    super();
    this.signal = signal ?? never;
    this.pieceBytes = Math.min(pieceBytes, store.mostObjectBytes);
    this.states = new ObjectStates(region, store);
    this.places = new ObjectPlaces(region, store);
    this.locks = new ObjectLocks(store, this.signal);
    this.marker = marker ?? new VaultMarker(new MarkedStoreOfObjects(region, store));
    this.apart = new AttemptsApart(region);
  }

  override under(signal: AbortSignal): ObjectVault {
    return new ObjectVault(this.region, this.store, this.pieceBytes, { marker: this.marker, signal });
  }

  async begin(backupId: string, attempt: number, options: BeginOptions = {}): Promise<VaultUpload> {
    const { copyOf, signal } = options;
    const folder = folderOf(backupId, this.region);
    await this.marker.check(this.signal);
    const begun = newUuid();
    let isGoingOn = false;
    let isNew = true;
    const now = await this.changeState(backupId, ({ state, tag }) => {
      this.apart.refuseLate(state, { backupId, attempt });
      const before = copyOf !== undefined && state.open?.copyOf === copyOf ? state.open : undefined;
      isGoingOn = before !== undefined;
      isNew = tag === undefined;
      const fresh = { place: placeOf(attempt, state.seq + 1), pieceBytes: this.pieceBytes };
      const open: OpenPlace = { ...(before ?? fresh), begun, ...(copyOf !== undefined && { copyOf }) };
      return { attempt, open, ...(state.sealed && { sealed: state.sealed }) };
    });
    if (!isNew) await this.places.clear(backupId, now, this.signal).catch(() => {});
    const { open } = now.state;
    if (!open) throw new TypeError('a change opened no place');
    return new ObjectUpload(
      {
        region: this.region,
        store: this.store,
        states: this.states,
        places: this.places,
        apart: this.apart,
        segmentBytes: this.pieceBytes,
        // An attempt that was told to end cleans up all the same, and is given up by whoever waits for it.
        checkVault: () => this.marker.check(never),
        changeState: (of, next) => this.under(never).changeState(of, next),
      },
      { backupId, attempt, open, isGoingOn, folder, signal },
    );
  }

  async manifest(backupId: string): Promise<SealedManifest | undefined> {
    return onSealed(
      () => this.sealedPlace(backupId),
      (sealed) => this.manifestAt(backupId, sealed),
    );
  }

  async glance(backupId: string): Promise<SealedManifest | undefined> {
    return onSealed(
      () => this.sealedPlace(backupId),
      async (place) => {
        const sealed = await this.manifestAt(backupId, place);
        await this.readerAt(backupId, place).lookAt(sealed.manifest);
        return sealed;
      },
    );
  }

  async locationOf(backupId: string): Promise<string | undefined> {
    const sealed = await this.sealedPlace(backupId);
    return sealed && this.locationAt(backupId, sealed);
  }

  read(backupId: string, objectName: string, range?: ByteRange): Readable {
    const chunks = this.chunks(backupId, objectName, range);
    return Readable.from(chunks, { objectMode: false, highWaterMark: chunkBytes });
  }

  override readLent(backupId: string, objectName: string, range?: ByteRange): AsyncIterable<Buffer> {
    return this.chunks(backupId, objectName, range, 'lent');
  }

  async keys(backupId: string, of: KeysOf): Promise<StoredKeys | undefined> {
    return onSealed(
      () => this.sealedPlace(backupId),
      (place) => this.readerAt(backupId, place).keys(of),
    );
  }

  async replaceKeys(backupId: string, of: KeysOf, bytes: Buffer, tag: string): Promise<boolean> {
    await this.marker.check(this.signal);
    const place = await this.sealedPlace(backupId);
    if (!place) throw notHeld(backupId, this.region);
    const reader = this.readerAt(backupId, place);
    const lockUntil = this.keeps ? await this.locks.lockOf(reader, manifestObjectName) : undefined;
    const put = { sha256: digestOf(bytes), if: { tag }, ...(lockUntil && { lockUntil }) };
    return (await this.store.put(reader.keyOf(keysNames[of]), bytes, put, this.signal)) !== undefined;
  }

  async verify(backupId: string, progress?: Progress, signal?: AbortSignal): Promise<SealedManifest> {
    const verified = await onSealed(
      () => this.sealedPlace(backupId),
      async (place) => {
        const sealed = await this.manifestAt(backupId, place);
        await this.readerAt(backupId, place).compare(sealed, { progress, signal });
        return sealed;
      },
    );
    if (!verified) throw notHeld(backupId, this.region);
    return verified;
  }

  async *list(signal: AbortSignal = this.signal): AsyncGenerator<ListedBackup> {
    await this.probe();
    for await (const { backupId } of backupsUnder(this.store, allBackups, signal)) {
      try {
        const sealed = await this.manifest(backupId);
        if (sealed) yield { backupId, sealed };
      } catch (error) {
        if (!(error instanceof VaultFault)) throw error;
        yield { backupId, fault: error };
      }
    }
  }

  async purge(backupId: string, attempt: number): Promise<Removed> {
    folderOf(backupId, this.region);
    await this.marker.check(this.signal);
    const found = await this.states.readToReplace(backupId, this.signal);
    // A process that wakes up late may have put something after the backup was forgotten.
    if (found.tag === undefined) found.state.seq = newestOf(await this.places.of(backupId, this.signal));
    const isDone = found.state.gone === true && found.state.attempt >= attempt;
    if (!isDone && found.state.attempt <= attempt) await this.refuseLocked(backupId, found.state.sealed);
    // This comes before anything is removed. Every attempt that begins or seals after it is refused.
    const gone = isDone
      ? found
      : await this.changeState(
          backupId,
          ({ state }) => {
            if (state.attempt > attempt) throw this.apart.late(backupId, attempt, state.attempt);
            return { attempt, gone: true };
          },
          found,
        );
    return this.places.clear(backupId, gone, this.signal);
  }

  async *held(shard: number, signal: AbortSignal = this.signal): AsyncGenerator<HeldBackup> {
    await this.probe();
    for await (const { backupId, places, changedAt } of backupsUnder(this.store, shardPrefix(shard), signal)) {
      try {
        yield await this.heldOf(backupId, places, changedAt);
      } catch (fault) {
        // A fault of one backup does not keep the others from being looked at.
        if (!(fault instanceof VaultFault) || !isSpoilt(fault)) throw fault;
        yield { backupId, fault, attempt: 0, isGone: false, hasLeftovers: true, changedAt: new Date(0) };
      }
    }
  }

  async tidy(backupId: string, kept: { attempt: number; location: string }, before: Date): Promise<Removed> {
    await this.marker.check(this.signal);
    const found = await this.states.read(backupId, this.signal);
    this.apart.refuseUnlessKept(backupId, this.holding(backupId, found), kept);
    const closed = found.state.open === undefined ? found : await this.closed(backupId, kept);
    return this.places.clear(backupId, closed, this.signal, before);
  }

  async forget(backupId: string, attempt: number, before: Date): Promise<boolean> {
    await this.marker.check(this.signal);
    const found = await this.states.read(backupId, this.signal);
    if (!found.state.gone || found.state.attempt > attempt || found.changedAt >= before) return false;
    await this.places.clear(backupId, found, this.signal, before);
    if ((await this.places.of(backupId, this.signal)).size > 0) return false;
    await this.store.delete([this.states.keyOf(backupId)], this.signal);
    return true;
  }

  identify(memory?: VaultMemory): Promise<VaultIdentity | undefined> {
    return this.marker.identify(memory, this.signal);
  }

  /** It writes nothing: a bucket that keeps every version would keep it for ever. */
  async probe(): Promise<void> {
    await this.store.head('vault.json', this.signal);
    await this.marker.check(this.signal);
  }

  override async keepUntil(backupId: string, until: Date): Promise<boolean> {
    const kept = await onSealed(
      () => this.sealedPlace(backupId),
      async (place) => this.locks.keep(await this.lockedAt(backupId, place), until),
    );
    return kept ?? false;
  }

  override async inside(backupId: string): Promise<InsideStore | undefined> {
    const place = await this.sealedPlace(backupId);
    if (!place) return undefined;
    const reader = this.readerAt(backupId, place);
    return { store: this.store, keyOf: (name) => reader.keyOf(name) };
  }

  override get keeps(): boolean {
    return this.store.keeps;
  }

  override bucketLock(): Promise<BucketLock | undefined> {
    return this.store.bucketLock(this.signal);
  }

  override keptUntil(backupId: string): Promise<Date | undefined> {
    return onSealed(
      () => this.sealedPlace(backupId),
      async (place) => this.locks.keptUntil(await this.lockedAt(backupId, place)),
    );
  }

  override roomBytes(): Promise<number | undefined> {
    return this.store.roomBytes(this.signal);
  }

  /** @param next gives the new state for the one that was found, or throws when it may not be changed */
  private async changeState(
    backupId: string,
    next: (found: FoundState) => NextState,
    from?: FoundState,
  ): Promise<FoundState> {
    let found = from ?? (await this.states.readToReplace(backupId, this.signal));
    for (let conflicts = 0; conflicts < mostConflicts; conflicts += 1) {
      const { outcome, now } = await this.states.change(backupId, found, next(found), { signal: this.signal });
      if (outcome === 'changed') return now;
      found = now;
    }
    const message = `The state of backup ${backupId} in the vault of ${this.region} was changed by others ${mostConflicts} times.`;
    throw new VaultFault('vault-unavailable', this.region, message);
  }

  /** Closes the open place, so that nobody can seal any more. What is sealed is what the ledger names. */
  private closed(backupId: string, kept: { attempt: number; location: string }): Promise<FoundState> {
    return this.changeState(backupId, (found) => {
      this.apart.refuseUnlessKept(backupId, this.holding(backupId, found), kept);
      const { attempt, sealed } = found.state;
      return { attempt, ...(sealed && { sealed }) };
    });
  }

  /** The newest attempt, and where the sealed backup lies. */
  private holding(backupId: string, { state }: FoundState): { attempt: number; location: string | undefined } {
    return { attempt: state.attempt, location: state.sealed && this.locationAt(backupId, state.sealed) };
  }

  /** @throws {VaultFault} `object-locked`, with the date */
  private async refuseLocked(backupId: string, sealed: SealedPlace | undefined): Promise<void> {
    if (!sealed) return;
    const until = await this.locks.lockOf(this.readerAt(backupId, sealed), manifestObjectName);
    if (!until) return;
    const message = `The vault of ${this.region} keeps backup ${backupId} until ${until.toISOString()}.`;
    throw new VaultFault('object-locked', this.region, message);
  }

  /** Before this says that no backup is sealed, it checks that this is still the vault. */
  private async sealedPlace(backupId: string): Promise<SealedPlace | undefined> {
    const { state } = await this.states.read(backupId, this.signal);
    if (state.sealed) return state.sealed;
    await this.marker.check(this.signal);
    return undefined;
  }

  private manifestAt(backupId: string, place: SealedPlace): Promise<SealedManifest> {
    const { region } = this;
    const sealed = { location: this.locationAt(backupId, place), manifestSha256: place.manifestSha256 };
    return readManifest(this.readerAt(backupId, place), { backupId, region }, sealed);
  }

  private async lockedAt(backupId: string, place: SealedPlace): Promise<LockedPlace> {
    const { manifest } = await this.manifestAt(backupId, place);
    return { manifest, reader: this.readerAt(backupId, place), pieceBytes: place.pieceBytes };
  }

  private async *chunks(id: string, name: string, range?: ByteRange, memory?: ChunkMemory): AsyncGenerator<Buffer> {
    const place = await this.sealedPlace(id);
    if (!place) throw notHeld(id, this.region);
    const reader = this.readerAt(id, place);
    try {
      const { manifest } = await this.manifestAt(id, place);
      const object = manifest.objects.find((each) => each.name === name);
      if (!object) throw reader.missing(name);
      yield* reader.chunks(object, range, memory);
    } catch (error) {
      // Before this says that the backup is lost, it checks that this is still the vault.
      if (isSpoilt(error)) await this.marker.check(this.signal);
      throw error;
    }
  }

  private readerAt(backupId: string, place: SealedPlace): ObjectReader {
    const folder = this.locationAt(backupId, place);
    const { region } = this;
    return new ObjectReader(this.store, { region, backupId, folder, pieceBytes: place.pieceBytes }, this.signal);
  }

  private locationAt(backupId: string, { place }: SealedPlace): string {
    return `${folderOf(backupId, this.region)}/${place}`;
  }

  private async heldOf(backupId: string, places: ReadonlySet<string>, putAt: Date): Promise<HeldBackup> {
    const found = await this.states.read(backupId, this.signal);
    const { state } = found;
    return {
      backupId,
      attempt: state.attempt,
      ...(state.sealed && { location: this.locationAt(backupId, state.sealed) }),
      isGone: state.gone === true,
      hasLeftovers:
        state.open !== undefined || [...places].some((place) => found.tag === undefined || isDead(found, place)),
      changedAt: found.tag === undefined ? putAt : found.changedAt,
    };
  }
}
