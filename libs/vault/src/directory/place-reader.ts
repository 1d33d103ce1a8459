/**
 * Reads one place of a directory vault, sealed or not, and compares what lies there with its manifest. A fault names the
 * object that can't be read, is missing or differs, with its backup and its region.
 */
import { constants, type Stats } from 'node:fs';
import { join } from 'node:path';
import { type KeysOf, manifestObjectName, type StoredManifest, type VaultObject } from '@strongroom/contracts';
import { codeOf } from '../error-code.js';
import { checkKeys } from '../keys-check.js';
import { checkedObjectName, isKeysName } from '../manifest.js';
import type { ChunkMemory } from '../object/object-store.js';
import { SegmentCheck } from '../segment-check.js';
import type { ByteRange, Progress, StoredKeys } from '../vault.js';
import { VaultFault } from '../vault-fault.js';
import { isOurs } from './backup-state.js';
import { DiskFile, type ReadFile } from './disk-file.js';
import { KeysFiles } from './keys-files.js';
import { readAhead, readLent } from './read-ahead.js';
import { absentAs, type VaultRoot } from './vault-root.js';

/** The name under which a network file system keeps a file that was removed while it was open. */
export const stillOpen = /^\.nfs/;

export interface Reading {
  /** Called with the number of bytes read since the last call. */
  progress?: Progress | undefined;
  signal?: AbortSignal | undefined;
}

const wholeObject: ByteRange = { from: 0, bytes: Number.MAX_SAFE_INTEGER };

export class PlaceReader {
  constructor(
    private readonly root: VaultRoot,
    private readonly backupId: string,
    private readonly folder: string,
  ) {}

  /** @throws {VaultFault} `object-missing` or `object-unreadable` */
  async manifest(): Promise<Buffer> {
    const path = join(this.folder, manifestObjectName);
    const bytes = await this.root.doing(`read the manifest of backup ${this.backupId}`, async () => {
      await this.root.files.access(this.root.path, constants.R_OK);
      return absentAs<Buffer | undefined>(undefined, this.root.files.readFile(path)).catch(
        this.unreadable(manifestObjectName),
      );
    });
    if (!bytes) throw this.missing(manifestObjectName);
    return bytes;
  }

  /** Undefined when there are none. */
  keys(of: KeysOf): Promise<StoredKeys | undefined> {
    return this.root.doing(`read the keys of backup ${this.backupId}`, async () => {
      await this.root.files.access(this.root.path, constants.R_OK);
      return new KeysFiles(this.root, this.folder).read(of);
    });
  }

  /** @param memory `lent`: a chunk is not looked at any more when the next one is asked for. It comes past the page cache, where that can be done */
  async *chunks(
    objectName: string,
    range: ByteRange = wholeObject,
    memory: ChunkMemory = 'own',
  ): AsyncGenerator<Buffer> {
    const { root, backupId } = this;
    const { files } = root;
    const path = join(this.folder, checkedObjectName(objectName, root.region));
    const what = `read ${objectName} of backup ${backupId}`;
    const file = await root.doing(what, async () => {
      await files.access(root.path, constants.R_OK);
      return absentAs<ReadFile | undefined>(
        undefined,
        memory === 'lent' ? DiskFile.open(files, path) : files.open(path, 'r'),
      );
    });
    if (!file) throw this.missing(objectName);
    try {
      const readInto = (into: Buffer, at: number) =>
        root.doing(what, () => file.read(into, at).catch(this.unreadable(objectName)));
      const read = memory === 'lent' ? readLent : readAhead;
      yield* read({ from: range.from, end: range.from + range.bytes }, readInto);
    } finally {
      await file.close();
    }
  }

  /** Reads every object, and looks whether anything else lies beside them. @throws {VaultFault} */
  async compare(sealed: { manifest: StoredManifest; sha256: string }, reading: Reading = {}): Promise<void> {
    const { objects } = sealed.manifest;
    const expected = new Set([manifestObjectName, ...objects.map(({ name }) => name)]);
    const present = await this.root.doing(`list backup ${this.backupId}`, () =>
      absentAs<string[]>([], this.root.files.list(this.folder)),
    );
    const stranger = present.find(
      (name) => !expected.has(name) && !isKeysName(name) && !stillOpen.test(name) && !isOurs(name),
    );
    if (stranger !== undefined) throw this.altered(`it holds ${stranger}, which its manifest does not name`);
    await checkKeys(this, sealed);
    for (const object of objects) await this.compareObject(object, reading);
  }

  /** Looks whether every object is there in its size, and reads none. @throws {VaultFault} `object-missing`, `object-altered` */
  async lookAt({ objects }: StoredManifest): Promise<void> {
    for (const object of objects) await this.lookAtObject(object);
  }

  private async lookAtObject({ name, sizeBytes }: VaultObject): Promise<void> {
    const path = join(this.folder, checkedObjectName(name, this.root.region));
    const found = await this.root.doing(`look at ${name} of backup ${this.backupId}`, () =>
      absentAs<Stats | undefined>(undefined, this.root.files.stat(path)),
    );
    if (!found) throw this.missing(name);
    if (found.size !== sizeBytes) throw this.altered(`${name} has ${found.size} bytes and should have ${sizeBytes}`);
  }

  private async compareObject(object: VaultObject, { progress, signal }: Reading): Promise<void> {
    await this.lookAtObject(object);
    const { name } = object;
    const check = new SegmentCheck(object, (why) => this.altered(`${name}: ${why}`));
    // What the page cache still has of it proves nothing.
    for await (const chunk of this.chunks(name, wholeObject, 'lent')) {
      signal?.throwIfAborted();
      check.update(chunk);
      await progress?.(chunk.length);
    }
    check.end();
  }

  altered(how: string): VaultFault {
    const { region } = this.root;
    const message = `Backup ${this.backupId} in the vault of ${region} is not what was stored: ${how}. Restore from the copy in another region.`;
    return new VaultFault('object-altered', region, message);
  }

  missing(name: string): VaultFault {
    const { region } = this.root;
    const message = `${name} of backup ${this.backupId} is missing in the vault of ${region}. Restore from the copy in another region.`;
    return new VaultFault('object-missing', region, message);
  }

  /** Makes a fault of this object from those errors of the disk that concern it alone. */
  private unreadable(name: string): (error: unknown) => never {
    return (cause) => {
      if (codeOf(cause) !== 'EIO') throw cause;
      const { region } = this.root;
      const message = `${name} of backup ${this.backupId} in the vault of ${region} can't be read back: its disk fails there. Restore from the copy in another region.`;
      throw new VaultFault('object-unreadable', region, message, { cause });
    };
  }
}
