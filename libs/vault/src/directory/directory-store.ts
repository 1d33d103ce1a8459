/**
 * A folder as a store of objects. An object is a file of its own, made whole under a temporary name and then linked to its own, so it
 * is there whole or not at all, and nobody waits for anybody. `object-versions.ts` says where its versions lie.
 *
 *     ROOT/.partial/<id>        what is being written
 *
 * A link is made only when its name is free, so of two changes of one version only one is made.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import { codeOf } from '../error-code.js';
import {
  type ChunkMemory,
  type ObjectFacts,
  ObjectStore,
  type PutOptions,
  WriteRefused,
} from '../object/object-store.js';
import type { ByteRange } from '../vault.js';
import { VaultFault } from '../vault-fault.js';
import { isSame, mostLooks, ObjectVersions, type Version, versionsOf } from './object-versions.js';
import { type ReadInto, readAhead, readLent } from './read-ahead.js';
import { absentAs, chunkBytes, VaultRoot } from './vault-root.js';

const partials = '.partial';
const readOnly = new Set(['EROFS', 'EACCES', 'EPERM']);
const dayMs = 86_400_000;

export class DirectoryStore extends ObjectStore {
  readonly mostObjectBytes = Number.MAX_SAFE_INTEGER;

  private readonly versions: ObjectVersions;
  /** Resolves when what killed processes were writing is removed. */
  private tidied: Promise<void> | undefined;

  constructor(private readonly root: VaultRoot) {
    super();
    this.versions = new ObjectVersions(root);
  }

  override get isFolder(): boolean {
    return true;
  }

  locationOf(key: string): string {
    return join(this.root.path, key);
  }

  async get(
    key: string,
    signal: AbortSignal,
    range?: ByteRange,
    memory: ChunkMemory = 'own',
  ): Promise<{ facts: ObjectFacts; body: AsyncIterable<Buffer> } | undefined> {
    return this.doing(`read ${key}`, signal, async () => {
      for (let look = 0; look < mostLooks; look += 1) {
        const { number, path, stats } = await this.versions.newest(key);
        if (path === undefined || !stats) return undefined;
        const from = range?.from ?? 0;
        const end = Math.min(stats.size, from + (range?.bytes ?? stats.size));
        const facts = factsOf(key, number, stats);
        if (stats.size > chunkBytes) {
          const read = memory === 'lent' ? readLent : readAhead;
          return { facts, body: this.chunks({ path, key, signal }, (readInto) => read({ from, end }, readInto)) };
        }
        // Only a small object is ever put again. It is read at once, before its file may be gone.
        const bytes = await absentAs<Buffer | undefined>(undefined, this.readAt(path, key, from, end));
        if (bytes) return { facts, body: only(bytes) };
      }
      throw new Error(`${key} was replaced ${mostLooks} times`);
    });
  }

  async head(key: string, signal: AbortSignal): Promise<ObjectFacts | undefined> {
    return this.doing(`look at ${key}`, signal, async () => {
      const { number, stats } = await this.versions.newest(key);
      return stats && factsOf(key, number, stats);
    });
  }

  async put(key: string, bytes: Buffer, options: PutOptions, signal: AbortSignal): Promise<ObjectFacts | undefined> {
    return this.doing(`write ${key}`, signal, () => this.putAtomically(key, bytes, options));
  }

  async *list(prefix: string, signal: AbortSignal): AsyncGenerator<ObjectFacts> {
    await this.doing('be listed', signal, () => this.root.mustBeThere());
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    yield* this.under(folder, prefix, signal);
  }

  async delete(keys: readonly string[], signal: AbortSignal): Promise<void> {
    const folders = new Set<string>();
    for (const key of keys) {
      await this.doing(`remove ${key}`, signal, () => this.remove(key));
      folders.add(dirname(key));
    }
    for (const folder of folders) await this.doing('be tidied', signal, () => this.removeEmpty(folder));
  }

  override roomBytes(signal: AbortSignal): Promise<number | undefined> {
    return this.doing('tell its room', signal, () => this.root.files.roomBytes(this.root.path));
  }

  private async putAtomically(key: string, bytes: Buffer, options: PutOptions): Promise<ObjectFacts | undefined> {
    const { files, path } = this.root;
    await this.root.makeFolder(partials);
    this.tidied ??= this.removeOldPartials().catch(() => {});
    await this.tidied;
    const written = join(path, partials, randomUUID());
    try {
      const writing = files.writeNew(written, bytes);
      writing.catch(() => {});
      // It is hashed while another thread writes it.
      const isRight = createHash('sha256').update(bytes).digest('hex') === options.sha256;
      await writing;
      if (!isRight) throw new VaultFault('object-altered', this.root.region, `${key} is not what was to be put.`);
      for (let look = 0; look < mostLooks; look += 1) {
        const before = await this.versions.newest(key);
        if (!meets(before, options)) return this.isThere(key, before, bytes);
        const put = await this.link(key, before, written);
        if (put) return put;
      }
      throw new Error(`${key} was changed by others ${mostLooks} times`);
    } finally {
      await files.unlink(written).catch(() => {});
    }
  }

  private async removeOldPartials(): Promise<void> {
    const { files, path } = this.root;
    for (const name of await files.list(join(path, partials))) {
      const old = join(path, partials, name);
      const stats = await absentAs<Stats | undefined>(undefined, files.stat(old));
      if (stats && stats.mtimeMs < Date.now() - dayMs) await absentAs(undefined, files.unlink(old));
    }
  }

  /** @returns undefined when somebody else has changed the object meanwhile */
  private async link(key: string, before: Version, written: string): Promise<ObjectFacts | undefined> {
    const { files } = this.root;
    const number = before.number + 1;
    const name = this.versions.pathOf(key, number);
    await this.makeDurable(dirname(key));
    if (number > 1) {
      await this.makeDurable(`${key}${versionsOf}`);
      // From here on a removal sees that the object has versions.
      if (!isSame(await this.versions.newest(key), before)) return undefined;
    }
    try {
      await files.link(written, name);
    } catch (error) {
      // A network file system may have made a link that it says is there already: what is there tells.
      if (!['EEXIST', 'ENOENT'].includes(codeOf(error))) throw error;
    }
    const now = await this.versions.newest(key);
    const own = await files.stat(written);
    if (now.stats?.ino !== own.ino) {
      const there = await absentAs<Stats | undefined>(undefined, files.stat(name));
      // A process that slept has linked a number that was passed.
      if (there?.ino === own.ino && now.number > number) await absentAs(undefined, files.unlink(name));
      return undefined;
    }
    await files.syncFolder(dirname(name));
    await this.versions.removePassed(key, number);
    return factsOf(key, number, now.stats);
  }

  /** After a fault a put is tried again, and may find what it has put itself. */
  private async isThere(
    key: string,
    { number, path, stats }: Version,
    bytes: Buffer,
  ): Promise<ObjectFacts | undefined> {
    if (path === undefined || stats?.size !== bytes.length) return undefined;
    const file = await absentAs(undefined, this.root.files.open(path, 'r'));
    if (!file) return undefined;
    try {
      for (let at = 0; at < bytes.length; ) {
        const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, bytes.length - at));
        const length = await file.read(chunk, at);
        if (length === 0 || !chunk.subarray(0, length).equals(bytes.subarray(at, at + length))) return undefined;
        at += length;
      }
    } finally {
      await file.close();
    }
    return factsOf(key, number, stats);
  }

  private async remove(key: string): Promise<void> {
    const { files } = this.root;
    for (let look = 0; look < mostLooks; look += 1) {
      const before = await this.versions.newest(key);
      if (before.path === undefined && before.number !== 1) return;
      if (before.number <= 1) {
        await absentAs(undefined, files.unlink(this.versions.pathOf(key, 1)));
        if ((await this.versions.numbers(key)) === undefined) return;
      }
      const tombstone = this.versions.pathOf(key, Math.max(2, before.number + 1));
      try {
        await files.makeFolder(tombstone);
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error;
        const there = await absentAs<Stats | undefined>(undefined, files.stat(tombstone));
        if (!there?.isDirectory()) continue;
      }
      await files.syncFolder(dirname(tombstone));
      await this.versions.removePassed(key, Math.max(2, before.number + 1));
      return;
    }
    throw new Error(`${key} was changed by others ${mostLooks} times`);
  }

  private async *under(folder: string, prefix: string, signal: AbortSignal): AsyncGenerator<ObjectFacts> {
    const entries = await this.doing('be listed', signal, () => this.entriesOf(folder));
    for (const { name, isFolder } of entries) {
      signal.throwIfAborted();
      const path = `${folder}${name}`;
      if (isFolder) {
        const inside = `${path}/`;
        if (inside.startsWith(prefix) || prefix.startsWith(inside)) yield* this.under(inside, prefix, signal);
        continue;
      }
      if (!path.startsWith(prefix)) continue;
      const facts = await this.head(path, signal);
      if (facts) yield facts;
      else await this.doing('be tidied', signal, () => this.forgetRemoved(path));
    }
  }

  /** After a day nobody comes back who has read the object before it was removed. */
  private async forgetRemoved(key: string): Promise<void> {
    const { files } = this.root;
    const folder = this.versions.folderOf(key);
    const stats = await absentAs<Stats | undefined>(undefined, files.stat(folder));
    if (!stats || stats.mtimeMs > Date.now() - dayMs) return;
    for (const number of (await this.versions.numbers(key)) ?? [])
      await files.removeEmptyFolder(join(folder, String(number))).catch(() => {});
    await files.removeEmptyFolder(folder).catch(() => {});
    await this.removeEmpty(dirname(key));
  }

  /** The names in a folder, in the order of the keys that they are in. */
  private async entriesOf(folder: string): Promise<{ name: string; isFolder: boolean }[]> {
    const { files, path } = this.root;
    const names = await absentAs<string[]>([], files.list(join(path, folder)));
    const entries = new Map<string, { name: string; isFolder: boolean }>();
    for (const each of names) {
      if (folder === '' && each === partials) continue;
      const stats = await absentAs<Stats | undefined>(undefined, files.stat(join(path, folder, each)));
      if (!stats) continue;
      const isVersions = stats.isDirectory() && each.endsWith(versionsOf);
      const name = isVersions ? each.slice(0, -versionsOf.length) : each;
      const isFolder = stats.isDirectory() && !isVersions;
      entries.set(isFolder ? `${name}/` : name, { name, isFolder });
    }
    return [...entries]
      .sort(([one], [other]) => Buffer.compare(Buffer.from(one), Buffer.from(other)))
      .map(([, entry]) => entry);
  }

  /** Nobody has to end what was not begun, so the file is opened with the first chunk. What is gone by then has no bytes. */
  private async *chunks(
    { path, key, signal }: { path: string; key: string; signal: AbortSignal },
    read: (readInto: ReadInto) => AsyncGenerator<Buffer>,
  ): AsyncGenerator<Buffer> {
    const what = `read ${key}`;
    const file = await this.doing(what, signal, () => absentAs(undefined, this.root.files.open(path, 'r')));
    if (!file) return;
    try {
      yield* read((memory, at) => this.doing(what, signal, () => file.read(memory, at).catch(this.unreadable(key))));
    } finally {
      await file.close();
    }
  }

  private async readAt(path: string, key: string, from: number, end: number): Promise<Buffer> {
    const file = await this.root.files.open(path, 'r');
    try {
      // An empty file is read as well: its disk may fail.
      const bytes = Buffer.alloc(Math.max(1, end - from));
      let length = 0;
      for (let more = 1; more > 0 && length < bytes.length; length += more)
        more = await file.read(bytes.subarray(length), from + length).catch(this.unreadable(key));
      return bytes.subarray(0, Math.min(length, Math.max(0, end - from)));
    } finally {
      await file.close();
    }
  }

  private unreadable(key: string): (error: unknown) => never {
    return (cause) => {
      if (codeOf(cause) !== 'EIO') throw cause;
      const { region } = this.root;
      const message = `${key} in the vault of ${region} can't be read back: its disk fails there. Restore from the copy in another region.`;
      throw new VaultFault('object-unreadable', region, message, { cause });
    };
  }

  /** Makes the folders on the way, and their names durable. */
  private async makeDurable(folder: string): Promise<void> {
    const { files, path } = this.root;
    if (folder === '.' || (await absentAs<Stats | undefined>(undefined, files.stat(join(path, folder))))) return;
    await this.makeDurable(dirname(folder));
    await this.root.makeFolder(folder);
    await files.syncFolder(join(path, dirname(folder)));
  }

  private async removeEmpty(folder: string): Promise<void> {
    for (let at = folder; at !== '.' && at !== ''; at = dirname(at)) {
      try {
        await absentAs(undefined, this.root.files.removeEmptyFolder(join(this.root.path, at)));
      } catch (error) {
        if (['ENOTEMPTY', 'EEXIST'].includes(codeOf(error))) return;
        throw error;
      }
    }
  }

  private async doing<T>(what: string, signal: AbortSignal, operations: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    try {
      return await this.root.doing(what, operations);
    } catch (error) {
      if (!(error instanceof VaultFault) || !readOnly.has(codeOf(error.cause))) throw error;
      const { region, message, told } = error;
      throw new WriteRefused('vault-unavailable', region, message, { cause: error, told });
    }
  }
}

async function* only(bytes: Buffer): AsyncGenerator<Buffer> {
  if (bytes.length > 0) yield bytes;
}

function meets(before: Version, { if: condition }: PutOptions): boolean {
  if (condition === 'absent') return before.path === undefined;
  return before.stats !== undefined && tagOf(before.number, before.stats) === condition.tag;
}

function tagOf(number: number, stats: Stats): string {
  return `${number}.${stats.ino}.${stats.mtimeMs}`;
}

function factsOf(key: string, number: number, stats: Stats): ObjectFacts {
  return { key, bytes: stats.size, tag: tagOf(number, stats), putAt: stats.mtime };
}
