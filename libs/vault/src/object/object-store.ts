/**
 * The door to a store of objects: one flat name space, in which an object is whole or not there at all. A vault is built on it
 * alone, so a store of another make needs nothing but these calls.
 */
import type { BucketLock } from '../bucket-lock.js';
import { VaultFault } from '../vault-fault.js';

/** What a store tells of an object without its bytes. */
export interface ObjectFacts {
  key: string;
  bytes: number;
  /** Changes whenever other bytes are put. Only the store that gave it can read it. */
  tag: string;
  /** When the object was put, by the store's clock. */
  putAt: Date;
  /** In hexadecimal; undefined where the store keeps none, and in a list. */
  sha256?: string;
  /** Until when the store refuses to remove the object; undefined when it does not, by the store's clock. */
  lockedUntil?: Date;
}

/** What an object must be before it is put: not there, or the one that had this tag. */
export type PutCondition = 'absent' | { tag: string };

/** Whose the memory of a chunk is that was read: its reader's for good, or only until the next one is asked for. */
export type ChunkMemory = 'own' | 'lent';

export interface PutOptions {
  /** Of the bytes, in hexadecimal. The store checks it before the object is there; a folder does so for less than a mebibyte. */
  sha256: string;
  if: PutCondition;
  lockUntil?: Date;
}

/** The credential may read here, and not write. */
export class WriteRefused extends VaultFault {}

/** All of it throws {VaultFault}, or the signal's reason when it is aborted. Keys are plain names with `/` between them. */
export abstract class ObjectStore {
  /** Where an object lies, as an operator would write it: `s3://bucket/prefix/key`, without secrets. */
  abstract locationOf(key: string): string;

  /**
   * @param range the first byte and the number of bytes; default: all of them
   * @param memory `lent`: a chunk is not looked at any more when the next one is asked for, so its memory may be used again
   * @returns undefined when the object is not there
   */
  abstract get(
    key: string,
    signal: AbortSignal,
    range?: { from: number; bytes: number },
    memory?: ChunkMemory,
  ): Promise<{ facts: ObjectFacts; body: AsyncIterable<Buffer> } | undefined>;

  abstract head(key: string, signal: AbortSignal): Promise<ObjectFacts | undefined>;

  /**
   * Puts an object at once, or leaves what is there. It is durable when this returns. It may be called again after any fault: an
   * object that is there with the same bytes is told as it is.
   * The bytes belong to the caller again when this ends.
   * @returns undefined when the condition does not hold
   * @throws {WriteRefused} when the credential may not write
   */
  abstract put(key: string, bytes: Buffer, options: PutOptions, signal: AbortSignal): Promise<ObjectFacts | undefined>;

  /**
   * Has the store copy an object by itself, where nothing lies yet. It may be called again after any fault.
   * @param from the store in which the object lies
   * @returns what the store then has there, whatever that is; undefined when it can't copy, and the bytes must be brought
   */
  async copy(
    _from: { store: ObjectStore; key: string },
    _key: string,
    _signal: AbortSignal,
  ): Promise<ObjectFacts | undefined> {
    return undefined;
  }

  /** In the order of their keys' bytes; memory use does not grow with their number. */
  abstract list(prefix: string, signal: AbortSignal): AsyncIterable<ObjectFacts>;

  /** Objects that are not there are no fault. @throws {VaultFault} `object-locked`, when the store keeps one of them */
  abstract delete(keys: readonly string[], signal: AbortSignal): Promise<void>;

  /** The most bytes that one object can have. */
  abstract readonly mostObjectBytes: number;

  /**
   * Has the store keep an object that is there until then, from everybody. A later date that was asked for before stays. A time that has passed
   * by the store's clock asks for nothing.
   * @returns false when the store can't do that
   */
  async keepUntil(_key: string, _until: Date, _signal: AbortSignal): Promise<boolean> {
    return false;
  }

  /** Whether it is a folder, in which a vault of another layout may lie. */
  get isFolder(): boolean {
    return false;
  }

  /** Whether `keepUntil` is more than nothing. */
  get keeps(): boolean {
    return false;
  }

  /** Whether it has what `keepUntil` needs, as it says itself; undefined in a kind of store that is not asked. */
  async bucketLock(_signal: AbortSignal): Promise<BucketLock | undefined> {
    return undefined;
  }

  /** How many bytes there is room for; undefined when the store can't tell. */
  async roomBytes(_signal: AbortSignal): Promise<number | undefined> {
    return undefined;
  }
}
