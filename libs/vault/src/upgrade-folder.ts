/**
 * Moves the vault of a folder into the layout of a store of objects, in its place: the same vault with the same backups, each where the
 * ledger says that it lies. The vault has no identity meanwhile, so no service writes there or calls a backup lost. It can be
 * killed at any point and called again. Of each backup the new form is read back before the old one goes.
 */
import type { Stats } from 'node:fs';
import { join } from 'node:path';
import { allKeys, keysNames, manifestObjectName, type VaultObject } from '@strongroom/contracts';
import { BackupStates, type FoundState, oldPlace } from './directory/backup-state.js';
import { DirectoryStore } from './directory/directory-store.js';
import { PlaceReader } from './directory/place-reader.js';
import { Places } from './directory/places.js';
import { absentAs, isBackupId, type VaultRoot } from './directory/vault-root.js';
import { parseManifest, storedBytes } from './manifest.js';
import { cutInto } from './object/cut.js';
import { piecesOf, usualPieceBytes } from './object/object-layout.js';
import { ObjectPlaces } from './object/object-places.js';
import { ObjectReader } from './object/object-reader.js';
import { ObjectStates, type SealedPlace } from './object/object-state.js';
import { digestOf } from './object/small-objects.js';
import { SegmentCheck } from './segment-check.js';
import { shards } from './vault.js';
import { VaultFault } from './vault-fault.js';
import { layoutOfObjects, markerName, readMarker } from './vault-marker.js';

/** The vault's identity while it is moved. No driver takes it for one. */
const movingName = '.vault.json.moving';
/** Where the old form of a backup lies until the new one counts. */
const asideName = '.moving';

export interface UpgradePlan {
  /** How many backups are to be moved. */
  backups: number;
  bytes: number;
  /** What the largest of them needs, in bytes of free space. */
  mostBytes: number;
  /** Backups that an older version has sealed without a state, whose place can't be kept. */
  withoutPlace: string[];
  isDone: boolean;
}

export interface UpgradeOptions {
  /** Called with the number of bytes written or compared since the last call. */
  progress?: (bytes: number) => void;
  /** Called for each backup that has been moved. */
  moved?: (backupId: string) => void;
  signal: AbortSignal;
  pieceBytes?: number;
}

export class FolderUpgrade {
  private readonly states: BackupStates;
  private readonly places: Places;
  private readonly store: DirectoryStore;
  private readonly newStates: ObjectStates;

  constructor(private readonly root: VaultRoot) {
    this.states = new BackupStates(root);
    this.places = new Places(root, this.states);
    this.store = new DirectoryStore(root);
    this.newStates = new ObjectStates(root.region, this.store);
  }

  /** Looks what there is to do, and changes nothing. @throws {VaultFault} */
  plan(): Promise<UpgradePlan> {
    return this.root.doing('be looked through', async () => {
      const plan: UpgradePlan = { backups: 0, bytes: 0, mostBytes: 0, withoutPlace: [], isDone: false };
      plan.isDone = (await this.marker()).layout === layoutOfObjects;
      if (plan.isDone) return plan;
      for await (const { backupId, found } of this.backups()) {
        const { sealed } = found.state;
        if (!sealed || (await this.isMoved(backupId))) continue;
        if (sealed.place === oldPlace) plan.withoutPlace.push(backupId);
        const bytes = storedBytes(await this.manifestAt(backupId, sealed.place));
        plan.backups += 1;
        plan.bytes += bytes;
        plan.mostBytes = Math.max(plan.mostBytes, bytes);
      }
      return plan;
    });
  }

  /** @throws {VaultFault} when a backup can't be read, or there is no room for its new form: it stays as it was, and so do those after it */
  async run({ signal, ...options }: UpgradeOptions): Promise<void> {
    const { isDone, withoutPlace } = await this.plan();
    if (isDone) return this.forgetMoving();
    if (withoutPlace.length > 0) throw this.cannotKeep(withoutPlace);
    await this.root.doing('be moved', async () => {
      await this.fence();
      for await (const { backupId, found } of this.backups()) {
        signal.throwIfAborted();
        await this.move(backupId, found, { signal, ...options });
        options.moved?.(backupId);
      }
      await this.root.files.removeEmptyFolder(join(this.root.path, asideName)).catch(() => {});
      await this.unfence();
    });
  }

  /** From here on no service finds the vault. */
  private async fence(): Promise<void> {
    const { path, files } = this.root;
    await absentAs(undefined, files.rename(join(path, markerName), join(path, movingName)));
    await files.syncFolder(path);
  }

  private async unfence(): Promise<void> {
    const marker = await this.marker();
    const bytes = Buffer.from(`${JSON.stringify({ ...marker, layout: layoutOfObjects }, null, 2)}\n`);
    await this.store.put(markerName, bytes, { sha256: digestOf(bytes), if: 'absent' }, new AbortController().signal);
    await this.forgetMoving();
  }

  private async forgetMoving(): Promise<void> {
    const { path, files } = this.root;
    await absentAs(undefined, files.unlink(join(path, movingName)));
    await files.syncFolder(path);
  }

  private async marker() {
    const { path, files, region } = this.root;
    for (const name of [markerName, movingName]) {
      const bytes = await absentAs<Buffer | undefined>(undefined, files.readFile(join(path, name)));
      if (!bytes) continue;
      const marker = readMarker(bytes);
      if (marker.region === region) return marker;
      throw new VaultFault(
        'vault-misconfigured',
        region,
        `${path} is the vault of ${marker.region}, and not of ${region}.`,
      );
    }
    const message = `There is no vault in ${path}: it has no ${markerName}.`;
    throw new VaultFault('vault-misconfigured', region, message);
  }

  private async *backups(): AsyncGenerator<{ backupId: string; found: FoundState }> {
    for (let shard = 0; shard < shards; shard += 1) {
      const folder = join(this.root.path, 'backups', shard.toString(16).padStart(2, '0'));
      const names = await absentAs<string[]>([], this.root.files.list(folder));
      for (const backupId of names.filter(isBackupId).sort())
        yield { backupId, found: await this.states.read(backupId) };
    }
  }

  private async move(backupId: string, before: FoundState, options: UpgradeOptions): Promise<void> {
    if (!(await this.isMoved(backupId))) {
      const found = await this.closed(backupId, before);
      const { attempt, sealed, gone } = found.state;
      const next = {
        attempt,
        ...(sealed && { sealed: await this.moveSealed(backupId, sealed, options) }),
        ...(gone && { gone }),
      };
      // Numbers never go back, so that what lies in a place that no longer counts may be removed.
      const state = { format: 'strongroom-state/2' as const, change: backupId, seq: found.seq, attempt };
      const from = { state, tag: undefined, changedAt: new Date(0) };
      const { outcome } = await this.newStates.change(backupId, from, next, { signal: options.signal });
      if (outcome === 'conflict') throw this.movedByOthers(backupId);
    }
    await this.removeOld(backupId, options.signal);
  }

  /** No attempt that an open place was for can seal it any more. */
  private async closed(backupId: string, before: FoundState): Promise<FoundState> {
    for (let found = before; ; ) {
      if (found.state.open === undefined) return found;
      const { attempt, sealed, gone } = found.state;
      const next = { attempt, ...(sealed && { sealed }), ...(gone && { gone }) };
      found = (await this.states.change(backupId, found, next)).now;
    }
  }

  private async moveSealed(
    backupId: string,
    { place, attempt }: NonNullable<FoundState['state']['sealed']>,
    { signal, progress, pieceBytes = usualPieceBytes }: UpgradeOptions,
  ): Promise<SealedPlace> {
    const { region } = this.root;
    const location = `${this.root.locationOf(backupId)}/${place}`;
    const found = await this.manifestAt(backupId, place);
    const { manifest, bytes, sha256 } = found;
    await this.mustHaveRoom(storedBytes(found));
    const aside = await this.putAside(backupId, location);
    const old = new PlaceReader(this.root, backupId, aside);
    for (const object of manifest.objects)
      await this.cut(old, object, { location, pieceBytes, signal, ...(progress && { progress }) });
    for (const of of allKeys) {
      const keys = await old.keys(of);
      const put = keys && { sha256: digestOf(keys.bytes), if: 'absent' as const };
      if (put) await this.store.put(`${location}/${keysNames[of]}`, keys.bytes, put, signal);
    }
    await this.store.put(`${location}/${manifestObjectName}`, bytes, { sha256, if: 'absent' }, signal);
    const reader = new ObjectReader(this.store, { region, backupId, folder: location, pieceBytes }, signal);
    await reader.compare(found, { signal, progress });
    return { attempt, place, pieceBytes, manifestSha256: sha256 };
  }

  private async cut(
    old: PlaceReader,
    object: VaultObject,
    {
      location,
      pieceBytes,
      signal,
      progress,
    }: { location: string; pieceBytes: number; signal: AbortSignal; progress?: (bytes: number) => void },
  ): Promise<void> {
    const altered = (how: string) => old.altered(`${object.name}: ${how}`);
    const check = new SegmentCheck(object, altered);
    const pieces = piecesOf(object, pieceBytes);
    const sizes = pieces.map((piece) => piece.bytes);
    let index = 0;
    for await (const { bytes, sha256 } of cutInto(check.passing(old.chunks(object.name)), sizes)) {
      signal.throwIfAborted();
      const key = `${location}/${pieces[index]?.name}`;
      const isPut = await this.store.put(key, bytes, { sha256, if: 'absent' }, signal);
      if (!isPut) throw altered(`something else lies at ${key}`);
      progress?.(bytes.length);
      index += 1;
    }
  }

  /** The old form of a backup keeps its name, because the new one needs it: so it lies elsewhere. */
  private async putAside(backupId: string, location: string): Promise<string> {
    const { path, files } = this.root;
    await this.root.makeFolder(asideName);
    const aside = join(path, asideName, backupId);
    if (!(await absentAs<Stats | undefined>(undefined, files.stat(aside)))) {
      await files.rename(join(path, location), aside);
      await files.syncFolder(join(path, asideName));
    }
    return aside;
  }

  /** The state of the new layout counts, and nothing of the old one does. */
  private async removeOld(backupId: string, signal: AbortSignal): Promise<void> {
    const { path, files } = this.root;
    await this.places.removePlace(join(path, asideName, backupId));
    const folder = this.root.folderOf(backupId);
    for (const name of await files.list(folder)) {
      if (/^state\.\d{12}$|^\.state\./.test(name)) await absentAs(undefined, files.unlink(join(folder, name)));
    }
    const now = await this.newStates.read(backupId, signal);
    await new ObjectPlaces(this.root.region, this.store).clear(backupId, now, signal);
    for (const { path: partial } of await this.states.oldAttempts(backupId)) await this.places.removePlace(partial);
  }

  private async isMoved(backupId: string): Promise<boolean> {
    const { signal } = new AbortController();
    return (await this.newStates.read(backupId, signal)).tag !== undefined;
  }

  /** An earlier call may have put the backup aside. */
  private async manifestAt(backupId: string, place: string) {
    const { path, files, region } = this.root;
    const aside = join(path, asideName, backupId, manifestObjectName);
    const there = join(this.root.folderOf(backupId), place, manifestObjectName);
    const bytes =
      (await absentAs<Buffer | undefined>(undefined, files.readFile(aside))) ?? (await files.readFile(there));
    return { ...parseManifest(bytes, backupId, region), bytes };
  }

  private async mustHaveRoom(bytes: number): Promise<void> {
    const { region, path, files } = this.root;
    const room = await files.roomBytes(path);
    if (room >= bytes) return;
    const message = `The vault of ${region} (${path}) has room for ${room} bytes, and its next backup needs ${bytes}. Make room, and call it again: it goes on from there.`;
    throw new VaultFault('vault-full', region, message);
  }

  private movedByOthers(backupId: string): VaultFault {
    const { region } = this.root;
    const message = `Somebody else has moved backup ${backupId} in the vault of ${region} meanwhile. Call it again when nobody does.`;
    return new VaultFault('vault-unavailable', region, message);
  }

  private cannotKeep(backupIds: readonly string[]): VaultFault {
    const { region } = this.root;
    const message = `The vault of ${region} has backups that a version before states has stored, which would lie elsewhere: ${backupIds.join(', ')}. Delete them, or keep the vault as it is.`;
    return new VaultFault('vault-misconfigured', region, message);
  }
}
