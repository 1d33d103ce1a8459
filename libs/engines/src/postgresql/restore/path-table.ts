/**
 * Keeps the files of a manifest in little memory. Typed arrays hold 64 bits of each path's digest and 64 bits of the file's
 * SHA-256, so three million files take about 80 MB. With so many files, two paths have the same 64 bits in one of four million
 * restores. That restore fails, because its manifest seems to list a file twice. A wrong file passes only when its size is the
 * same too.
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
  private cells: number;
  private paths: Uint32Array;
  private digests: Uint32Array;
  private sizes: Uint32Array;
  private states: Uint16Array;
  private filled = 0;
  private takenCount = 0;

  /** @param expected roughly how many files there will be: growing takes twice the memory for a while */
  constructor(expected: number) {
    this.cells = Math.max(64, Math.ceil(expected / fullest) + 1);
    this.paths = new Uint32Array(this.cells * words);
    this.digests = new Uint32Array(this.cells * digestWords);
    this.sizes = new Uint32Array(this.cells);
    this.states = new Uint16Array(this.cells);
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
    if (this.filled + 1 > this.cells * fullest) this.grow();
    const key = keyOf(path);
    const cell = this.find(key);
    if (this.states[cell] !== empty) return false;
    this.paths.set(key, cell * words);
    for (let word = 0; word < digestWords; word += 1) this.digests[cell * digestWords + word] = wordOf(sha256, word);
    this.mark(cell, listed, sizeBytes);
    this.filled += 1;
    return true;
  }

  /** Marks a file as there, when it is what was listed and was not there before. */
  take(path: string, sizeBytes: number, sha256: string): Taken {
    const cell = this.find(keyOf(path));
    if (this.states[cell] === empty) return 'unknown';
    if (this.sizeAt(cell) !== sizeBytes) return 'differs';
    for (let word = 0; word < digestWords; word += 1) {
      if (this.digests[cell * digestWords + word] !== wordOf(sha256, word)) return 'differs';
    }
    if (this.stateAt(cell) === taken) return 'twice';
    this.mark(cell, taken, sizeBytes);
    this.takenCount += 1;
    return 'as-listed';
  }

  /** The size that was listed. Undefined for a path that was not listed. */
  sizeOf(path: string): number | undefined {
    const cell = this.find(keyOf(path));
    return this.states[cell] === empty ? undefined : this.sizeAt(cell);
  }

  /** Marks a file as there that rightly differs from what was listed. */
  setSize(path: string, sizeBytes: number): void {
    const cell = this.find(keyOf(path));
    this.mark(cell, this.stateAt(cell), sizeBytes);
  }

  has(path: string): boolean {
    return this.sizeOf(path) !== undefined;
  }

  isTaken(path: string): boolean {
    return this.stateAt(this.find(keyOf(path))) === taken;
  }

  private stateAt(cell: number): number {
    return (this.states[cell] ?? empty) & stateMask;
  }

  private sizeAt(cell: number): number {
    return ((this.states[cell] ?? 0) >>> stateBits) * lowSizes + (this.sizes[cell] ?? 0);
  }

  private mark(cell: number, state: number, sizeBytes: number): void {
    if (sizeBytes > mostBytes) throw new RangeError(`a file of ${sizeBytes} bytes is larger than there are`);
    this.sizes[cell] = sizeBytes % lowSizes;
    this.states[cell] = (Math.floor(sizeBytes / lowSizes) << stateBits) | state;
  }

  /** The index at which the path is, or would be. */
  private find(key: Uint32Array): number {
    let cell = (key[0] ?? 0) % this.cells;
    while (this.states[cell] !== empty && !this.isAt(cell, key)) cell = (cell + 1) % this.cells;
    return cell;
  }

  private isAt(cell: number, key: Uint32Array): boolean {
    const at = cell * words;
    return this.paths[at] === key[0] && this.paths[at + 1] === key[1];
  }

  private grow(): void {
    const { paths, digests, sizes, states, cells } = this;
    this.cells = cells * 2;
    this.paths = new Uint32Array(this.cells * words);
    this.digests = new Uint32Array(this.cells * digestWords);
    this.sizes = new Uint32Array(this.cells);
    this.states = new Uint16Array(this.cells);
    for (let from = 0; from < cells; from += 1) {
      if (states[from] === empty) continue;
      const key = paths.subarray(from * words, (from + 1) * words);
      const cell = this.find(key);
      this.paths.set(key, cell * words);
      this.digests.set(digests.subarray(from * digestWords, (from + 1) * digestWords), cell * digestWords);
      this.sizes[cell] = sizes[from] ?? 0;
      this.states[cell] = states[from] ?? empty;
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
