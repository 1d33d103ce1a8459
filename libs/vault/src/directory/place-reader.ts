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
import { diskBuffers } from './disk-buffers.js';
import { KeysFiles } from './keys-files.js';
import { readAhead, readLent } from './read-ahead.js';
import { cannotBypass, type OpenFile, pageBytes } from './vault-files.js';
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

  /** @param memory `lent`: a chunk is not looked at any more when the next one is asked for */
  async *chunks(
    objectName: string,
    range: ByteRange = wholeObject,
    memory: ChunkMemory = 'own',
  ): AsyncGenerator<Buffer> {
    const { root, backupId } = this;
    const path = join(this.folder, checkedObjectName(objectName, root.region));
    const what = `read ${objectName} of backup ${backupId}`;
    const file = await root.doing(what, async () => {
      await root.files.access(root.path, constants.R_OK);
      return absentAs(undefined, root.files.open(path, 'r'));
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
    for await (const chunk of this.fromDisk(object)) {
      signal?.throwIfAborted();
      check.update(chunk);
      await progress?.(chunk.length);
    }
    check.end();
  }

  /**
   * The bytes of an object from its disk, past the page cache of this host: what the cache still has of it proves nothing. Where that
   * can't be done, they are read as usual. Each chunk holds its bytes until the next one is asked for.
   */
  private async *fromDisk({ name, sizeBytes }: VaultObject): AsyncGenerator<Buffer> {
    const path = join(this.folder, checkedObjectName(name, this.root.region));
    // A file without bytes is read as well, since the disk may fail to.
    const buffers = sizeBytes > 0 ? diskBuffers.take() : undefined;
    const file = buffers && (await this.openOnDisk(name, path));
    if (!file) {
      if (buffers) diskBuffers.giveBack(buffers);
      yield* this.chunks(name, wholeObject, 'lent');
      return;
    }
    let reading: Promise<number | undefined> = Promise.resolve(0);
    const readAt = (into: Buffer, at: number) => {
      reading = this.root.doing(`read ${name} of backup ${this.backupId}`, () =>
        file.read(into, at).catch((error: unknown) => {
          // Some file systems say so only when they are to read.
          if (at === 0 && cannotBypass(error)) return undefined;
          return this.unreadable(name)(error);
        }),
      );
      // It is waited for below, or at the end.
      reading.catch(() => {});
    };
    let [now, other] = buffers;
    try {
      readAt(now, 0);
      for (let at = 0; at < sizeBytes; ) {
        const bytesRead = await reading;
        if (bytesRead === 0) return;
        at += bytesRead ?? 0;
        // What ends within a page is the end of the file, or was cut off by the system: the rest is read as usual.
        const goesOn = at < sizeBytes && at % pageBytes === 0 && bytesRead !== undefined;
        const chunk = now.subarray(0, bytesRead ?? 0);
        [now, other] = [other, now];
        if (goesOn) readAt(now, at);
        if (chunk.length > 0) yield chunk;
        if (goesOn) continue;
        if (at < sizeBytes) yield* this.chunks(name, { from: at, bytes: sizeBytes - at }, 'lent');
        return;
      }
    } finally {
      await reading.catch(() => {});
      diskBuffers.giveBack(buffers);
      await file.close();
    }
  }

  /** @returns undefined where the bytes can't be read past the page cache; whoever reads as usual finds out what else is wrong */
  private openOnDisk(name: string, path: string): Promise<OpenFile | undefined> {
    return this.root.doing(`read ${name} of backup ${this.backupId}`, () =>
      absentAs(undefined, this.root.files.openOnDisk(path)),
    );
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
