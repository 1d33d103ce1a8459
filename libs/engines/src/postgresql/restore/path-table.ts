/**
 * Keeps the files of a manifest in little memory. Typed arrays hold 64 bits of each path's digest and 64 bits of the file's
 * SHA-256, so three million files take about 80 MB. With so many files, two paths agree in one restore of four million. It
 * ends then, since the manifest seems to list a file twice. Another file than was listed must also have the same size to pass.
 */
import { hash } from 'node:crypto';

const words = 2;
const digestWords = 2;
const fullest = 0.88;
const empty = 0;
const listed = 1;
const taken = 2;
/** The bits of a size beyond 32 are kept above the file's state, which makes 64 TiB the largest size. */
const stateBits = 2;
const stateMask = 0b11;
const lowSizes = 2 ** 32;
const mostBytes = 2 ** 46 - 1;

export type Taken = 'as-listed' | 'unknown' | 'differs' | 'twice';

export class PathTable {
  private slots: number;
  private paths: Uint32Array;
  private digests: Uint32Array;
  private sizes: Uint32Array;
  private states: Uint16Array;
  private filled = 0;
  private takenCount = 0;

  /** @param expected roughly how many files there will be: growing takes twice the memory for a while */
  constructor(expected: number) {
    this.slots = Math.max(64, Math.ceil(expected / fullest) + 1);
    this.paths = new Uint32Array(this.slots * words);
    this.digests = new Uint32Array(this.slots * digestWords);
    this.sizes = new Uint32Array(this.slots);
    this.states = new Uint16Array(this.slots);
  }

  get size(): number {
    return this.filled;
  }

  /** How many files are not there yet. */
  get left(): number {
    return this.filled - this.takenCount;
  }

  /** @returns false when the path is there already */
  add(path: string, sizeBytes: number, sha256: string): boolean {
    if (this.filled + 1 > this.slots * fullest) this.grow();
    const key = keyOf(path);
    const slot = this.find(key);
    if (this.states[slot] !== empty) return false;
    this.paths.set(key, slot * words);
    for (let word = 0; word < digestWords; word += 1) this.digests[slot * digestWords + word] = wordOf(sha256, word);
    this.mark(slot, listed, sizeBytes);
    this.filled += 1;
    return true;
  }

  /** Marks a file as there, when it is what was listed and was not there before. */
  take(path: string, sizeBytes: number, sha256: string): Taken {
    const slot = this.find(keyOf(path));
    if (this.states[slot] === empty) return 'unknown';
    if (this.sizeAt(slot) !== sizeBytes) return 'differs';
    for (let word = 0; word < digestWords; word += 1) {
      if (this.digests[slot * digestWords + word] !== wordOf(sha256, word)) return 'differs';
    }
    if (this.stateAt(slot) === taken) return 'twice';
    this.mark(slot, taken, sizeBytes);
    this.takenCount += 1;
    return 'as-listed';
  }

  /** The size that was listed. Undefined for a path that was not listed. */
  sizeOf(path: string): number | undefined {
    const slot = this.find(keyOf(path));
    return this.states[slot] === empty ? undefined : this.sizeAt(slot);
  }

  /** Marks a file as there that rightly differs from what was listed. */
  setSize(path: string, sizeBytes: number): void {
    const slot = this.find(keyOf(path));
    this.mark(slot, this.stateAt(slot), sizeBytes);
  }

  has(path: string): boolean {
    return this.sizeOf(path) !== undefined;
  }

  isTaken(path: string): boolean {
    return this.stateAt(this.find(keyOf(path))) === taken;
  }

  private stateAt(slot: number): number {
    return (this.states[slot] ?? empty) & stateMask;
  }

  private sizeAt(slot: number): number {
    return ((this.states[slot] ?? 0) >>> stateBits) * lowSizes + (this.sizes[slot] ?? 0);
  }

  private mark(slot: number, state: number, sizeBytes: number): void {
    if (sizeBytes > mostBytes) throw new RangeError(`a file of ${sizeBytes} bytes is larger than there are`);
    this.sizes[slot] = sizeBytes % lowSizes;
    this.states[slot] = (Math.floor(sizeBytes / lowSizes) << stateBits) | state;
  }

  /** The index at which the path is, or would be. */
  private find(key: Uint32Array): number {
    let slot = (key[0] ?? 0) % this.slots;
    while (this.states[slot] !== empty && !this.isAt(slot, key)) slot = (slot + 1) % this.slots;
    return slot;
  }

  private isAt(slot: number, key: Uint32Array): boolean {
    const at = slot * words;
    return this.paths[at] === key[0] && this.paths[at + 1] === key[1];
  }

  private grow(): void {
    const { paths, digests, sizes, states, slots } = this;
    this.slots = slots * 2;
    this.paths = new Uint32Array(this.slots * words);
    this.digests = new Uint32Array(this.slots * digestWords);
    this.sizes = new Uint32Array(this.slots);
    this.states = new Uint16Array(this.slots);
    for (let from = 0; from < slots; from += 1) {
      if (states[from] === empty) continue;
      const key = paths.subarray(from * words, (from + 1) * words);
      const slot = this.find(key);
      this.paths.set(key, slot * words);
      this.digests.set(digests.subarray(from * digestWords, (from + 1) * digestWords), slot * digestWords);
      this.sizes[slot] = sizes[from] ?? 0;
      this.states[slot] = states[from] ?? empty;
    }
  }
}

/** One buffer for all calls, since millions of small ones take memory. Its content holds until the next call. */
const key = new Uint32Array(words);

function wordOf(hex: string, word: number): number {
  return Number.parseInt(hex.slice(word * 8, word * 8 + 8), 16);
}

function keyOf(path: string): Uint32Array {
  const digest = hash('sha256', path);
  for (let word = 0; word < words; word += 1) key[word] = wordOf(digest, word);
  return key;
}
