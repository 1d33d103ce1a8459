/**
 * Reads one place of a vault in a store of objects, sealed or not, and compares what lies there with its manifest. A fault names
 * the object that can't be read, is missing or differs, with its backup and its region.
 */
import { createHash } from 'node:crypto';
import {
  type KeysOf,
  keysNames,
  manifestObjectName,
  type StoredManifest,
  type VaultObject,
} from '@strongroom/contracts';
import { checkKeys } from '../keys-check.js';
import { SegmentCheck } from '../segment-check.js';
import type { ByteRange, Progress, StoredKeys } from '../vault.js';
import { VaultFault } from '../vault-fault.js';
import { InFlight } from './in-flight.js';
import { mayLieBeside, type Piece, piecesOf } from './object-layout.js';
import type { ChunkMemory, ObjectFacts, ObjectStore } from './object-store.js';
import { smallObject } from './small-objects.js';

export interface Reading {
  /** Called with the number of bytes read since the last call. */
  progress?: Progress | undefined;
  signal?: AbortSignal | undefined;
  /** Whether the checksum that the store keeps of a segment proves it. A segment of which it keeps none is read. */
  byServer?: boolean;
  /** The SHA-256 of segments that were read already, by the names of their pieces. They are not read again. */
  readBefore?: ReadonlyMap<string, string>;
}

export interface ReadPlace {
  region: string;
  backupId: string;
  /** Where the place lies in the store. */
  folder: string;
  pieceBytes: number;
}

/** So many pieces are read at a time, so that the answer of one is not waited for while nothing moves. */
const atATime = 2;
/** Larger chunks fall out of the processor's cache. */
const chunkBytes = 131_072;

export class ObjectReader {
  constructor(
    private readonly store: ObjectStore,
    private readonly place: ReadPlace,
    private readonly signal: AbortSignal,
  ) {}

  /** @throws {VaultFault} `object-missing` */
  async manifest(): Promise<Buffer> {
    const found = await smallObject(this.store, this.keyOf(manifestObjectName), this.signal);
    if (!found) throw this.missing(manifestObjectName);
    return found.bytes;
  }

  /** Undefined when there are none. */
  async keys(of: KeysOf): Promise<StoredKeys | undefined> {
    const found = await smallObject(this.store, this.keyOf(keysNames[of]), this.signal);
    return found && { bytes: found.bytes, tag: found.facts.tag };
  }

  /** The bytes of an object, in chunks of at most 128 KiB. Nothing compares them. */
  async *chunks(
    object: VaultObject,
    range: ByteRange = { from: 0, bytes: object.sizeBytes },
    memory: ChunkMemory = 'own',
  ): AsyncGenerator<Buffer> {
    const end = Math.min(range.from + range.bytes, object.sizeBytes);
    for (const piece of piecesOf(object, this.place.pieceBytes)) {
      const from = Math.max(range.from, piece.from);
      const to = Math.min(end, piece.from + piece.bytes);
      // A piece without bytes is read as well: it may be missing.
      if (from >= to && piece.bytes > 0) continue;
      const part = { from: from - piece.from, bytes: Math.max(0, to - from) };
      yield* this.piece(piece, this.signal, part, memory);
    }
  }

  /** Reads every object, and looks whether anything else lies beside them. @throws {VaultFault} */
  async compare(
    sealed: { manifest: StoredManifest; sha256: string },
    { progress, signal = this.signal, byServer = false, readBefore }: Reading = {},
  ): Promise<void> {
    const { manifest } = sealed;
    await this.lookAt(manifest, true);
    await checkKeys(this, sealed);
    const reading = new InFlight(atATime, signal);
    try {
      for (const object of manifest.objects) {
        signal.throwIfAborted();
        if (!('segments' in object)) {
          await reading.add((ends) => this.compareWhole(object, ends, progress));
          continue;
        }
        for (const piece of piecesOf(object, this.place.pieceBytes)) {
          if (piece.sha256 !== undefined && readBefore?.get(piece.name) === piece.sha256) continue;
          await reading.add(async (ends) => {
            if (byServer && (await this.isProvenByServer(piece, ends))) return;
            await this.comparePiece(piece, ends, progress);
          });
        }
      }
      await reading.done();
    } catch (error) {
      await reading.stop(error);
      throw error;
    }
  }

  /** Looks whether every object is there in its size, and reads none. @throws {VaultFault} `object-missing`, `object-altered` */
  async lookAt({ objects }: StoredManifest, isAlone = false): Promise<void> {
    const there = new Map<string, number>();
    const prefix = this.keyOf('');
    for await (const { key, bytes } of this.store.list(prefix, this.signal)) there.set(key.slice(prefix.length), bytes);
    for (const object of objects) {
      for (const { name, bytes } of piecesOf(object, this.place.pieceBytes)) {
        const found = there.get(name);
        if (found === undefined) throw this.missing(name);
        if (found !== bytes) throw this.altered(`${name} has ${found} bytes and should have ${bytes}`);
        there.delete(name);
      }
    }
    const stranger = [...there.keys()].find((name) => !mayLieBeside(name));
    if (isAlone && stranger !== undefined) throw this.altered(`it holds ${stranger}, which its manifest does not name`);
  }

  /** Whether what lies there has this SHA-256. It is read where the store keeps none. */
  async has(name: string, facts: ObjectFacts, sha256: string, signal: AbortSignal): Promise<boolean> {
    const told = facts.sha256 ?? (await this.store.head(this.keyOf(name), signal))?.sha256;
    if (told !== undefined) return told === sha256;
    const found = await this.store.get(this.keyOf(name), signal, undefined, 'lent');
    const hash = createHash('sha256');
    for await (const chunk of found?.body ?? []) hash.update(chunk);
    return hash.digest('hex') === sha256;
  }

  keyOf(name: string): string {
    return `${this.place.folder}/${name}`;
  }

  /** @throws {VaultFault} `object-missing`, and `object-altered` when the checksum is another one */
  private async isProvenByServer({ name, bytes, sha256 }: Piece, signal: AbortSignal): Promise<boolean> {
    const facts = await this.store.head(this.keyOf(name), signal);
    if (!facts) throw this.missing(name);
    if (facts.sha256 === undefined) return false;
    if (facts.sha256 === sha256 && facts.bytes === bytes) return true;
    throw this.altered(`the SHA-256 of ${name}, as the store has it, is not the one in its manifest`);
  }

  private async compareWhole(object: VaultObject, signal: AbortSignal, progress?: Progress): Promise<void> {
    const check = new SegmentCheck(object, (why) => this.altered(`${object.name}: ${why}`));
    for (const piece of piecesOf(object, this.place.pieceBytes)) {
      for await (const chunk of this.piece(piece, signal)) {
        check.update(chunk);
        await progress?.(chunk.length);
      }
    }
    check.end();
  }

  /** @throws {VaultFault} when the piece is not what it should be */
  async comparePiece(piece: Omit<Piece, 'from'>, signal: AbortSignal, progress?: Progress): Promise<void> {
    const hash = createHash('sha256');
    for await (const chunk of this.piece(piece, signal)) {
      hash.update(chunk);
      await progress?.(chunk.length);
    }
    if (hash.digest('hex') !== piece.sha256)
      throw this.altered(`the SHA-256 of ${piece.name} is not the one in its manifest`);
  }

  private async *piece(
    { name, bytes }: Omit<Piece, 'from'>,
    signal: AbortSignal,
    range: ByteRange = { from: 0, bytes },
    memory: ChunkMemory = 'lent',
  ): AsyncGenerator<Buffer> {
    const isWhole = range.bytes === bytes;
    const found = await this.store.get(this.keyOf(name), signal, isWhole ? undefined : range, memory);
    if (!found) throw this.missing(name);
    const isOfSize = found.facts.bytes === bytes;
    let rest = range.bytes;
    for await (const chunk of found.body) {
      signal.throwIfAborted();
      // The body is begun in any case, so that the store can end it.
      if (!isOfSize) break;
      rest -= chunk.length;
      if (rest < 0) throw this.altered(`${name} gives more than the ${range.bytes} bytes that were asked for`);
      for (let at = 0; at < chunk.length; at += chunkBytes) yield chunk.subarray(at, at + chunkBytes);
    }
    if (!isOfSize) throw this.altered(`${name} has ${found.facts.bytes} bytes and should have ${bytes}`);
    if (rest > 0) throw this.altered(`${name} ends ${rest} bytes too early`);
  }

  altered(how: string): VaultFault {
    const { region, backupId } = this.place;
    const message = `Backup ${backupId} in the vault of ${region} is not what was stored: ${how}. Restore from the copy in another region.`;
    return new VaultFault('object-altered', region, message);
  }

  missing(name: string): VaultFault {
    const { region, backupId } = this.place;
    const message = `${name} of backup ${backupId} is missing in the vault of ${region}. Restore from the copy in another region.`;
    return new VaultFault('object-missing', region, message);
  }
}
