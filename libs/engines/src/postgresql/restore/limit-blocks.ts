/**
 * Keeps to how many blocks each relation was cut since the parent of an incremental backup. Beyond that limit the parent's
 * content is of another time, no matter what length the server gives the file. The server takes the larger of the file's size
 * and the limit, and the smaller would be right. So its length alone brings deleted rows back
 * (src/backend/backup/basebackup_incremental.c, GetFileBackupMethod; versions 17 and 18).
 *
 *     strongroom-limit-blocks/1 startLsn endLsn timeline
 *     tablespaceOid databaseOid relFileNumber fork limitBlock
 *     end count
 *
 * There may be millions of limits. They are kept in a table of numbers with open addressing.
 */
import { randomInt } from 'node:crypto';
import { EngineFault } from '../../engine-fault.js';
import type { Span } from '../chain/limit-list.js';
import type { BlockLimit, BlockSizes } from './changed-blocks.js';
import { type RelationFile, visibilityMapFork } from './relation-file.js';

const form = /^strongroom-limit-blocks\/1 ([0-9A-F]+\/[0-9A-F]+) ([0-9A-F]+\/[0-9A-F]+) (\d+)$/;
const lineForm = /^(\d{1,10}) (\d{1,10}) (\d{1,10}) ([0-3]) (\d{1,10})$/;
const endForm = /^end (\d+)$/;
const words = 5;
const limitWord = 4;
const greatest = 0xffff_ffff;
/** As many as an incremental backup tells of at the most. */
const mostLimits = 8_000_000;
const longestLineBytes = 200;
/** A visibility map has two bits for each block of its relation, and each of its pages has a head of 24 bytes. */
const pageHeadBytes = 24;
const blocksOfMapByte = 4;

export class LimitBlocks {
  private cells = 256;
  private table = new Uint32Array(this.cells * words);
  private used = new Uint8Array(this.cells);
  private filled = 0;
  /** Of this list alone: nobody can know which limits share a place. */
  private readonly factors = [0, 1, 2].map(() => randomInt(2 ** 31) * 2 + 1);

  /**
   * @param span that the list must be of: limits of another time bring deleted rows back, or lose rows that were written
   * @throws {EngineFault} `backup-content-invalid` when it is no such list, is of another span, or is cut off
   */
  static async read(list: AsyncIterable<unknown>, span: Span): Promise<LimitBlocks> {
    const limits = new LimitBlocks();
    let isBegun = false;
    let count = 0;
    let end: string | undefined;
    for await (const line of linesOf(list)) {
      if (end !== undefined) throw invalid('goes on beyond its end');
      if (!isBegun) {
        const [, startLsn, endLsn, timeline] = form.exec(line) ?? [];
        if (timeline === undefined) throw invalid('is of no known form');
        if (startLsn !== span.startLsn || endLsn !== span.endLsn || Number(timeline) !== span.timeline) {
          throw invalid(
            `tells of ${startLsn} to ${endLsn} on timeline ${timeline}, and should of ${span.startLsn} to ${span.endLsn} on ${span.timeline}`,
          );
        }
        isBegun = true;
      } else if (lineForm.test(line)) {
        limits.add(line.split(' ').map(Number));
        count += 1;
        if (count > mostLimits) throw invalid(`has more than ${mostLimits} limits`);
      } else {
        end = endForm.exec(line)?.[1];
        if (end === undefined) throw invalid(`has ${JSON.stringify(line)}, which is no limit`);
      }
    }
    if (end === undefined) throw invalid('breaks off');
    if (Number(end) !== count) throw invalid(`has ${count} limits and should have ${end}`);
    return limits;
  }

  /** The limit, counted from the beginning of the file. Undefined when its relation was not cut. */
  of(file: RelationFile, { segmentBlocks, blockSize }: BlockSizes): BlockLimit | undefined {
    const said = this.get(file, file.fork) ?? greatest;
    const kept = file.fork === visibilityMapFork ? Math.min(said, this.mapped(file, blockSize)) : said;
    if (kept === greatest) return undefined;
    const before = file.segment * segmentBlocks;
    return { said: said - before, kept: kept - before };
  }

  /**
   * Some versions tell for a visibility map the limit of its relation, in the relation's blocks. The map was cut to as many
   * blocks as those need.
   */
  private mapped(file: RelationFile, blockSize: number): number {
    const ofMain = this.get(file, 0);
    return ofMain === undefined ? greatest : Math.ceil(ofMain / ((blockSize - pageHeadBytes) * blocksOfMapByte));
  }

  private get({ tablespaceOid, databaseOid, relation }: RelationFile, fork: number): number | undefined {
    const cell = this.find(tablespaceOid, databaseOid, relation, fork);
    const limit = this.used[cell] ? this.table[cell * words + limitWord] : undefined;
    return limit === greatest ? undefined : limit;
  }

  /** The lower of two limits of one relation counts, since the relation was that short at some time. */
  private add(line: number[]): void {
    if (line.some((value) => value > greatest)) throw invalid('has a number that is none of PostgreSQL');
    if (this.filled + 1 > this.cells * 0.8) this.grow();
    const [tablespace = 0, database = 0, relation = 0, fork = 0, limit = 0] = line;
    const cell = this.find(tablespace, database, relation, fork);
    const before = this.used[cell] ? this.table[cell * words + limitWord] : undefined;
    this.table.set([tablespace, database, relation, fork, Math.min(before ?? limit, limit)], cell * words);
    if (before === undefined) this.filled += 1;
    this.used[cell] = 1;
  }

  private find(tablespace: number, database: number, relation: number, fork: number): number {
    const [first = 1, second = 1, third = 1] = this.factors;
    const mixed = Math.imul(relation, first) ^ Math.imul(database, second) ^ Math.imul(tablespace * 4 + fork, third);
    let cell = (mixed ^ (mixed >>> 15)) >>> 0;
    for (cell %= this.cells; this.used[cell]; cell = (cell + 1) % this.cells) {
      const at = cell * words;
      const { table } = this;
      const isIt =
        table[at] === tablespace && table[at + 1] === database && table[at + 2] === relation && table[at + 3] === fork;
      if (isIt) break;
    }
    return cell;
  }

  private grow(): void {
    const { table, used, cells } = this;
    this.cells = cells * 2;
    this.table = new Uint32Array(this.cells * words);
    this.used = new Uint8Array(this.cells);
    this.filled = 0;
    for (let from = 0; from < cells; from += 1) {
      if (used[from]) this.add([...table.subarray(from * words, (from + 1) * words)]);
    }
  }
}

async function* linesOf(list: AsyncIterable<unknown>): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of list) {
    if (!Buffer.isBuffer(chunk)) throw new TypeError('a list of limits gave no bytes');
    const lines = (rest + chunk.toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > longestLineBytes) throw invalid('is of no known form');
    yield* lines;
  }
  if (rest !== '') throw invalid('breaks off');
}

function invalid(what: string): EngineFault {
  return new EngineFault(
    'backup-content-invalid',
    `The backup can't be restored: its list of the relations that were cut since its parent ${what}.`,
  );
}
