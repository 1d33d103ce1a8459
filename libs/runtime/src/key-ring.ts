/**
 * The secret keys of a deployment: the newest seals, and every one opens what it has sealed. A key has an id, which tells nothing
 * about the key. A ring that lies in a file is read again after a while, and when a key is wanted that it does not have.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** In bytes. */
export const secretKeyBytes = 32;
const idBytes = 8;
/** A file is read again when it was read so long ago, and a key is wanted. */
const staleMs = 10_000;
/** When a key is wanted that the ring does not have, its file is read no more often than this. */
const missedMs = 1_000;

export interface SecretKey {
  /** 16 hexadecimal digits. */
  id: string;
  bytes: Buffer;
}

/** The keys in a text, with commas or spaces between them; undefined when one of them is none, or there is none. */
export function secretKeysIn(text: string): [Buffer, ...Buffer[]] | undefined {
  const keys = text
    .split(/[\s,]+/)
    .filter((each) => each !== '')
    .map((each) => (/^[A-Za-z0-9+/]+={0,2}$/.test(each) ? Buffer.from(each, 'base64') : undefined));
  const [first, ...others] = keys.flatMap((key) => (key?.length === secretKeyBytes ? [key] : []));
  return first && others.length + 1 === keys.length ? [first, ...others] : undefined;
}

export class KeyRing {
  private keys: readonly [SecretKey, ...SecretKey[]];
  private readAt: number;

  /**
   * @param keys the newest first; each of 32 bytes
   * @param file where they lie, if they lie in a file
   * @param elapsedMs a clock in milliseconds that only rises
   */
  constructor(
    [newest, ...others]: readonly [Buffer, ...Buffer[]],
    private readonly file?: string,
    private readonly elapsedMs: () => number = () => performance.now(),
  ) {
    this.keys = [named(newest), ...others.map(named)];
    this.readAt = elapsedMs();
  }

  /** The key that seals. */
  get newest(): SecretKey {
    this.readAgain(staleMs);
    return this.keys[0];
  }

  /** Every key, the newest first. */
  get all(): readonly SecretKey[] {
    this.readAgain(staleMs);
    return this.keys;
  }

  /** The key of that id; undefined when the ring does not have it. */
  find(id: string): SecretKey | undefined {
    const found = this.keys.find((key) => key.id === id);
    if (found || !this.readAgain(missedMs)) return found;
    return this.keys.find((key) => key.id === id);
  }

  /** What is there counts on when the file is away, or is of no known form: somebody may be writing it. @returns whether it was read */
  private readAgain(olderThanMs: number): boolean {
    if (this.file === undefined || this.elapsedMs() - this.readAt < olderThanMs) return false;
    this.readAt = this.elapsedMs();
    try {
      const keys = secretKeysIn(readFileSync(this.file, 'utf8'));
      if (!keys) return false;
      const [newest, ...others] = keys;
      this.keys = [named(newest), ...others.map(named)];
      return true;
    } catch {
      return false;
    }
  }
}

function named(bytes: Buffer): SecretKey {
  const digest = createHash('sha256').update('strongroom key id\n').update(bytes).digest();
  return { id: digest.subarray(0, idBytes).toString('hex'), bytes };
}
