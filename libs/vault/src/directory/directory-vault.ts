/**
 * A vault in a directory:
 *
 *     ROOT/vault.json                                                    the vault's identity
 *     ROOT/.spare                                                        room to remove something when the disk is full
 *     ROOT/backups/<last two digits of the id>/<backup id>/state.<n>     what counts of the backup; the highest n does
 *     ROOT/backups/<last two digits of the id>/<backup id>/<attempt>.<n>/   the objects and manifest.json of an attempt
 *
 * An older version sealed a backup by renaming its folder. The objects and manifest.json lie in the backup's folder itself
 * then, without a state, and ROOT/partial/<backup id>.<attempt>/ is what was not sealed. Both are read and removed as before.
 *
 * The operator makes the root. It should be a folder within the mounted file system, so that it is missing when the disk
 * is not mounted.
 */
import { constants, type Stats } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { KeysOf } from '@strongroom/contracts';
import { AttemptsApart } from '../attempts-apart.js';
import { readManifest } from '../manifest.js';
import type { ChunkMemory } from '../object/object-store.js';
import { onSealed } from '../on-sealed.js';
import {
  type ByteRange,
  type HeldBackup,
  type ListedBackup,
  type Progress,
  type Removed,
  type SealedManifest,
  type StoredKeys,
  shards,
  Vault,
  type VaultIdentity,
  type VaultMemory,
  type VaultUpload,
} from '../vault.js';
import { isSpoilt, notHeld, VaultFault } from '../vault-fault.js';
import { VaultMarker } from '../vault-marker.js';
import { BackupStates, type FoundState, oldPlace, placeOf, type SealedState } from './backup-state.js';
import { DirectoryUpload } from './directory-upload.js';
import { KeysFiles } from './keys-files.js';
import { MarkedFolder } from './marked-folder.js';
import { PlaceReader } from './place-reader.js';
import { Places } from './places.js';
import { absentAs, chunkBytes, isBackupId, VaultRoot } from './vault-root.js';

const endOfTime = new Date(8_640_000_000_000_000);
/** After this many changes by others, a change gives up. Each of them is an attempt, and attempts are few. */
const mostConflicts = 20;

export class DirectoryVault extends Vault {
  private readonly root: VaultRoot;
  private readonly states: BackupStates;
  private readonly places: Places;
  private readonly marker: VaultMarker;
  private readonly apart: AttemptsApart;

  constructor(
    readonly region: string,
    path: string,
    root = new VaultRoot(region, path),
  ) {
    super();
    this.root = root;
    this.states = new BackupStates(root);
    this.places = new Places(root, this.states);
    this.marker = new VaultMarker(new MarkedFolder(root));
    this.apart = new AttemptsApart(region);
  }

  async begin(backupId: string, attempt: number): Promise<VaultUpload> {
    const location = this.root.locationOf(backupId);
    return this.root.doing(`open an upload of backup ${backupId}`, async () => {
      await this.checkWritable();
      const folder = await this.root.makeFolder(location);
      const opened = () =>
        this.changeState(backupId, (found) => {
          this.apart.refuseLate(found.state, { backupId, attempt });
          const { sealed } = found.state;
          return { attempt, open: placeOf(attempt, found.seq + 1), ...(sealed && { sealed }) };
        });
      // If an earlier attempt has filled the disk, this one removes what is there, provided that it can begin.
      const { state: before } = await this.states.readToReplace(backupId);
      const now = await (before.open ? this.root.evenIfFull(opened) : opened());
      await this.places.clear(backupId, now).catch(() => {});
      const place = now.state.open ?? '';
      await this.root.files.makeFolder(join(folder, place));
      if (before.open) await this.root.keepRoom();
      return new DirectoryUpload(
        { root: this.root, states: this.states, places: this.places, checkVault: () => this.marker.check() },
        backupId,
        attempt,
        place,
      );
    });
  }

  async manifest(backupId: string): Promise<SealedManifest | undefined> {
    return onSealed(
      () => this.sealedState(backupId),
      (state) => this.manifestAt(backupId, state),
    );
  }

  async glance(backupId: string): Promise<SealedManifest | undefined> {
    return onSealed(
      () => this.sealedState(backupId),
      async (state) => {
        const sealed = await this.manifestAt(backupId, state);
        await this.readerAt(backupId, state).lookAt(sealed.manifest);
        return sealed;
      },
    );
  }

  async locationOf(backupId: string): Promise<string | undefined> {
    const sealed = await this.sealedState(backupId);
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
      () => this.sealedState(backupId),
      (state) => this.readerAt(backupId, state).keys(of),
    );
  }

  async replaceKeys(backupId: string, of: KeysOf, bytes: Buffer, tag: string): Promise<boolean> {
    const state = await this.sealedState(backupId);
    if (!state) throw notHeld(backupId, this.region);
    return this.root.doing(`replace the keys of backup ${backupId}`, async () => {
      await this.checkWritable();
      return new KeysFiles(this.root, join(this.root.path, this.locationAt(backupId, state))).replace(of, bytes, tag);
    });
  }

  async verify(backupId: string, progress?: Progress, signal?: AbortSignal): Promise<SealedManifest> {
    const verified = await onSealed(
      () => this.sealedState(backupId),
      async (state) => {
        const sealed = await this.manifestAt(backupId, state);
        await this.readerAt(backupId, state).compare(sealed, { progress, signal });
        return sealed;
      },
    );
    if (!verified) throw notHeld(backupId, this.region);
    return verified;
  }

  async *list(signal?: AbortSignal): AsyncGenerator<ListedBackup> {
    await this.probeReading();
    for (let shard = 0; shard < shards; shard += 1) {
      for (const backupId of await this.idsOf(shard)) {
        signal?.throwIfAborted();
        try {
          const sealed = await this.manifest(backupId);
          if (sealed) yield { backupId, sealed };
        } catch (error) {
          if (!(error instanceof VaultFault)) throw error;
          yield { backupId, fault: error };
        }
      }
    }
  }

  async purge(backupId: string, attempt: number): Promise<Removed> {
    const location = this.root.locationOf(backupId);
    return this.root.doing(`remove backup ${backupId}`, async () => {
      await this.checkWritable();
      await this.root.evenIfFull(() => this.root.makeFolder(location));
      const found = await this.states.readToReplace(backupId);
      const isDone = found.state.gone && found.state.attempt >= attempt;
      // This comes before anything is removed. Every attempt that begins or seals after it is refused.
      const gone = isDone
        ? found
        : await this.root.evenIfFull(() =>
            this.changeState(backupId, ({ state }) => {
              if (state.attempt > attempt) throw this.apart.late(backupId, attempt, state.attempt);
              return { attempt, gone: true };
            }),
          );
      // A process that changes the state now will find the removal, and no longer needs what it was about to link.
      const removed = await this.places.clear(backupId, gone, endOfTime);
      await this.root.keepRoom();
      return removed;
    });
  }

  async *held(shard: number, signal?: AbortSignal): AsyncGenerator<HeldBackup> {
    await this.probeReading();
    for (const backupId of await this.idsOf(shard, true)) {
      signal?.throwIfAborted();
      yield await this.root.doing(`look at backup ${backupId}`, () => this.heldOrFault(backupId));
    }
  }

  async tidy(backupId: string, kept: { attempt: number; location: string }, before: Date): Promise<Removed> {
    return this.root.doing(`remove what is left over beside backup ${backupId}`, async () => {
      await this.checkWritable();
      const found = await this.states.read(backupId);
      this.apart.refuseUnlessKept(backupId, this.holding(backupId, found), kept);
      const isClosed = found.seq > 0 && found.state.open === undefined;
      const closed = isClosed ? found : await this.root.evenIfFull(() => this.closed(backupId, kept));
      const removed = await this.places.clear(backupId, closed, before);
      await this.root.keepRoom();
      return removed;
    });
  }

  async forget(backupId: string, attempt: number, before: Date): Promise<boolean> {
    return this.root.doing(`forget backup ${backupId}`, async () => {
      await this.checkWritable();
      const { changedAt } = await this.heldOf(backupId);
      const found = await this.states.read(backupId);
      if (!found.state.gone || found.state.attempt > attempt || changedAt >= before) return false;
      await this.places.clear(backupId, found, before);
      return this.states.forget(backupId, found);
    });
  }

  async identify(memory?: VaultMemory): Promise<VaultIdentity | undefined> {
    const identity = await this.marker.identify(memory);
    if (identity) await this.root.keepRoom();
    return identity;
  }

  async probe(): Promise<void> {
    await this.root.doing('be opened', async () => {
      await this.root.mustBeThere();
      await this.root.files.access(this.root.path, constants.R_OK | constants.W_OK);
      await this.marker.check();
    });
  }

  override roomBytes(): Promise<number | undefined> {
    return this.root.doing('tell its room', () => this.root.files.roomBytes(this.root.path));
  }

  private async probeReading(): Promise<void> {
    await this.root.doing('be read', () => this.root.files.access(this.root.path, constants.R_OK));
    await this.marker.check();
  }

  private async checkWritable(): Promise<void> {
    await this.root.files.access(this.root.path, constants.W_OK);
    await this.marker.check();
  }

  /** @param next gives the new state for the one that was found, or throws when it may not be changed */
  private async changeState(
    backupId: string,
    next: (found: FoundState) => Parameters<BackupStates['change']>[2],
  ): Promise<FoundState> {
    let found = await this.states.readToReplace(backupId);
    for (let conflicts = 0; conflicts < mostConflicts; conflicts += 1) {
      const { outcome, now } = await this.states.change(backupId, found, next(found));
      if (outcome === 'changed') return now;
      found = now;
    }
    throw new Error(`the state of backup ${backupId} was changed by others ${mostConflicts} times`);
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

  /** Before this says that no backup is sealed, it checks that this is still the vault. */
  private async sealedState(backupId: string): Promise<SealedState | undefined> {
    return this.root.doing(`look for backup ${backupId}`, async () => {
      const { state } = await this.states.read(backupId);
      if (state.sealed) return state.sealed;
      await this.root.files.access(this.root.path, constants.R_OK);
      await this.marker.check();
      return undefined;
    });
  }

  private manifestAt(backupId: string, state: SealedState): Promise<SealedManifest> {
    const { region } = this;
    const sealed = { location: this.locationAt(backupId, state), manifestSha256: state.manifestSha256 };
    return readManifest(this.readerAt(backupId, state), { backupId, region }, sealed);
  }

  private async *chunks(
    backupId: string,
    objectName: string,
    range?: ByteRange,
    memory?: ChunkMemory,
  ): AsyncGenerator<Buffer> {
    const state = await this.sealedState(backupId);
    if (!state) throw notHeld(backupId, this.region);
    try {
      yield* this.readerAt(backupId, state).chunks(objectName, range, memory);
    } catch (error) {
      // Before this says that the backup is lost, it checks that this is still the vault.
      if (isSpoilt(error)) await this.marker.check();
      throw error;
    }
  }

  private readerAt(backupId: string, state: SealedState): PlaceReader {
    return new PlaceReader(this.root, backupId, join(this.root.path, this.locationAt(backupId, state)));
  }

  private locationAt(backupId: string, { place }: SealedState): string {
    const location = this.root.locationOf(backupId);
    return place === oldPlace ? location : `${location}/${place}`;
  }

  /** A fault of one backup does not keep the others from being looked at. */
  private async heldOrFault(backupId: string): Promise<HeldBackup> {
    try {
      return await this.heldOf(backupId);
    } catch (fault) {
      if (!(fault instanceof VaultFault) || !isSpoilt(fault)) throw fault;
      return { backupId, fault, attempt: 0, isGone: false, hasLeftovers: true, changedAt: new Date(0) };
    }
  }

  private async heldOf(backupId: string): Promise<HeldBackup> {
    const found = await this.states.read(backupId);
    const { state } = found;
    const folder = await absentAs<Stats | undefined>(undefined, this.root.files.stat(this.root.folderOf(backupId)));
    return {
      backupId,
      attempt: state.attempt,
      ...(state.sealed && { location: this.locationAt(backupId, state.sealed) }),
      isGone: state.gone === true,
      hasLeftovers: state.open !== undefined || (await this.places.hasLeftovers(backupId, found)),
      changedAt: folder?.mtime ?? new Date(0),
    };
  }

  /** The ids of the backups in one part of the vault, which is named by their last two digits. */
  private async idsOf(shard: number, unsealed = false): Promise<string[]> {
    const digits = shard.toString(16).padStart(2, '0');
    return this.root.doing('be listed', async () => {
      const names = await absentAs<string[]>([], this.root.files.list(join(this.root.path, 'backups', digits)));
      const ids = new Set(names.filter(isBackupId));
      if (!unsealed) return [...ids].sort();
      for (const name of await absentAs<string[]>([], this.root.files.list(this.root.partials))) {
        const id = name.slice(0, name.indexOf('.'));
        if (isBackupId(id) && id.endsWith(digits)) ids.add(id);
      }
      return [...ids].sort();
    });
  }
}
