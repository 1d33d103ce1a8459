/**
 * One attempt at putting a backup into a directory vault. It has a place of its own, which never moves and in which nobody
 * else writes. What it wrote is read back before it can be sealed, and sealing is one change of the backup's state.
 */
import { createHash } from 'node:crypto';
import type { Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import { type KeysOf, manifestObjectName } from '@strongroom/contracts';
import type { ObjectCipher } from '@strongroom/encryption';
import { AttemptsApart } from '../attempts-apart.js';
import { codeOf } from '../error-code.js';
import { checkedObjectName, parseManifest } from '../manifest.js';
import { SegmentCheck } from '../segment-check.js';
import { type CopySource, type SealedManifest, type StoredObject, VaultUpload } from '../vault.js';
import { VaultFault } from '../vault-fault.js';
import { type BackupStates, isDead } from './backup-state.js';
import { KeysFiles } from './keys-files.js';
import { writeNewFile } from './new-file.js';
import { PlaceReader, type Reading } from './place-reader.js';
import type { Places } from './places.js';
import type { OpenFile } from './vault-files.js';
import { absentAs, type VaultRoot } from './vault-root.js';

export interface UploadParts {
  root: VaultRoot;
  states: BackupStates;
  places: Places;
  /** @throws {VaultFault} when what is there is not the vault that was there */
  checkVault(): Promise<void>;
}

export class DirectoryUpload extends VaultUpload {
  private readonly folder: string;
  /** Whether the place may be sealed though this attempt does not know it. */
  private mayBeSealed = false;

  constructor(
    private readonly parts: UploadParts,
    private readonly backupId: string,
    private readonly attempt: number,
    private readonly place: string,
  ) {
    super();
    this.folder = join(parts.root.folderOf(backupId), place);
  }

  async put(name: string, source: AsyncIterable<Buffer>, cipher?: ObjectCipher): Promise<StoredObject> {
    const hash = createHash('sha256');
    const sizeBytes = await this.write(name, cipher ? encrypted(source, cipher) : source, (chunk) =>
      hash.update(chunk),
    );
    return { name, sizeBytes, sha256: hash.digest('hex') };
  }

  override async bring({ object, read, altered }: CopySource): Promise<void> {
    const check = new SegmentCheck(object, altered);
    await this.write(object.name, read({ from: 0, bytes: object.sizeBytes }), (chunk) => check.update(chunk));
    check.end();
  }

  /**
   * Makes an object. All of it is on the disk when this returns.
   * @param look is shown every byte, while another thread writes those before it
   * @returns its size
   */
  private write(name: string, source: AsyncIterable<Buffer>, look: (chunk: Buffer) => void): Promise<number> {
    const { root } = this.parts;
    checkedObjectName(name, root.region);
    const parts = {
      create: (isForDisks: boolean) => this.create(name, isForDisks),
      doing: <T>(operation: () => Promise<T>) => root.doing(`write ${name} of backup ${this.backupId}`, operation),
    };
    return writeNewFile(parts, lookedAt(source, look));
  }

  async putKeys(of: KeysOf, bytes: Buffer): Promise<void> {
    const { root } = this.parts;
    await root.doing(`write the keys of backup ${this.backupId}`, () =>
      this.notSuperseded(() => new KeysFiles(root, this.folder).make(of, bytes)),
    );
  }

  async seal(manifestBytes: Buffer, reading: Reading = {}): Promise<SealedManifest> {
    const { root } = this.parts;
    const file = await this.create(manifestObjectName);
    try {
      await root.doing(`write the manifest of backup ${this.backupId}`, async () => {
        await file.write(manifestBytes);
        await file.sync();
      });
    } finally {
      await file.close();
    }
    const proven = await this.proven(manifestBytes, reading);
    reading.signal?.throwIfAborted();
    await root.doing(`seal backup ${this.backupId}`, async () => {
      const backups = dirname(root.folderOf(this.backupId));
      // This comes before the change of the state, so that everything that the state names is on the disk.
      await this.notSuperseded(() => root.files.syncFolder(this.folder));
      for (const folder of [backups, dirname(backups), root.path]) await root.files.syncFolder(folder);
      await this.makeVisible(proven.sha256);
    });
    return { ...proven, location: `${root.locationOf(this.backupId)}/${this.place}` };
  }

  async discard(): Promise<void> {
    try {
      if (this.mayBeSealed) await this.discardUnlessItCounts();
      else await this.parts.places.removePlace(this.folder);
    } catch {
      // The next attempt, or the sweep, removes it.
    }
  }

  /** Reads everything back: a backup that can't be read is never sealed. */
  private async proven(written: Buffer, reading: Reading) {
    const { root } = this.parts;
    const reader = new PlaceReader(root, this.backupId, this.folder);
    const found = await this.notSuperseded(() => reader.manifest());
    if (!found.equals(written)) throw reader.altered(`${manifestObjectName} is not what was written`);
    const sealed = parseManifest(found, this.backupId, root.region);
    await this.notSuperseded(() => reader.compare(sealed, reading));
    return sealed;
  }

  private async makeVisible(manifestSha256: string): Promise<void> {
    const { states } = this.parts;
    const { attempt, place, backupId } = this;
    for (let found = await states.read(backupId); ; ) {
      if (found.state.open !== place) {
        await this.parts.checkVault();
        throw this.superseded();
      }
      const next = { attempt, sealed: { attempt, place, manifestSha256 } };
      const { outcome, now } = await states.change(backupId, found, next, () => {
        this.mayBeSealed = true;
      });
      if (outcome === 'changed' || now.state.sealed?.place === place) return;
      found = now;
    }
  }

  /** The place may be removed only under a state by which it does not count and never can. */
  private async discardUnlessItCounts(): Promise<void> {
    const found = await this.parts.states.read(this.backupId);
    if (isDead(found, this.place)) await this.parts.places.removePlace(this.folder);
  }

  private create(name: string, isForDisks = false): Promise<OpenFile> {
    const { root } = this.parts;
    const path = join(this.folder, name);
    return root.doing(`create ${name} of backup ${this.backupId}`, () =>
      this.notSuperseded(() => (isForDisks ? root.files.createOnDisk(path) : root.files.open(path, 'wx'))),
    );
  }

  /** When the place is gone and the vault is there, a later attempt has removed it, or somebody has removed the backup. */
  private async notSuperseded<T>(operation: () => Promise<T>): Promise<T> {
    const { root } = this.parts;
    try {
      return await operation();
    } catch (error) {
      const isGone = codeOf(error) === 'ENOENT' || (error instanceof VaultFault && error.code === 'object-missing');
      if (!isGone || !(await root.isThere()) || (await this.isThere())) throw error;
      await this.parts.checkVault();
      throw this.superseded(error);
    }
  }

  private superseded(cause?: unknown): VaultFault {
    return new AttemptsApart(this.parts.root.region).lost(this.backupId, cause);
  }

  private async isThere(): Promise<boolean> {
    return (await absentAs<Stats | undefined>(undefined, this.parts.root.files.stat(this.folder))) !== undefined;
  }
}

/** The object as one payload. */
async function* encrypted(source: AsyncIterable<Buffer>, cipher: ObjectCipher): AsyncGenerator<Buffer> {
  const writer = cipher.writer(0);
  for await (const chunk of source) yield* writer.update(chunk);
  yield* writer.end();
}

async function* lookedAt(source: AsyncIterable<Buffer>, look: (chunk: Buffer) => void): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    look(chunk);
    yield chunk;
  }
}
