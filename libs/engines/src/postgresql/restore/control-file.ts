/**
 * Reads from a data folder's pg_control how the server was built and set up. The place of a field differs between versions.
 * The part that is read here follows a constant by which PostgreSQL itself recognises the machine's floating point.
 * Source: src/include/catalog/pg_control.h, ControlFileData.
 */
import { createReadStream } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { areSegmentBlocks, blockSizes } from '../server-says.js';

export interface ControlFile {
  /** The size of a block, in bytes. */
  blockSize: number;
  /** How many blocks a relation's file has at most. */
  segmentBlocks: number;
  hasChecksums: boolean;
  /** What a server must be able to hold to recover what lies in the folder, as its source was set. */
  held: {
    connections: number;
    workers: number;
    walSenders: number;
    preparedTransactions: number;
    locksPerTransaction: number;
    tracksCommits: boolean;
  };
}

const recognised = Buffer.alloc(8);
recognised.writeDoubleLE(1_234_567);
const at = { blockSize: 8, segmentBlocks: 12, checksums: 44 };
/** These lie before the constant, with the largest alignment of the machine between. */
const before = {
  alignment: -4,
  tracksCommits: -8,
  locksPerTransaction: -12,
  preparedTransactions: -16,
  walSenders: -20,
  workers: -24,
  connections: -28,
};
const align = 8;
/** The size of the file. What it holds is shorter. */
const fileBytes = 8_192;
const mostChecksumVersions = 8;

/** Undefined when the file is not of a form that is known here. */
export async function controlFileAt(path: Buffer): Promise<ControlFile | undefined> {
  return controlFileOf(await buffer(createReadStream(path, { end: fileBytes - 1 })).catch(() => Buffer.alloc(0)));
}

/** Undefined when the bytes are not of a form that is known here. */
export function controlFileOf(bytes: Buffer): ControlFile | undefined {
  const found = bytes.indexOf(recognised);
  if (found < -before.connections || found % align !== 0 || bytes.length < found + at.checksums + 4) return undefined;
  const [blockSize, segmentBlocks, checksums] = [at.blockSize, at.segmentBlocks, at.checksums].map((offset) =>
    bytes.readUInt32LE(found + offset),
  ) as [number, number, number];
  const isUnderstood = blockSizes.has(blockSize) && areSegmentBlocks(segmentBlocks) && checksums < mostChecksumVersions;
  if (!isUnderstood || bytes.readUInt32LE(found + before.alignment) !== align) return undefined;
  const number = (name: keyof typeof before) => bytes.readInt32LE(found + before[name]);
  return {
    blockSize,
    segmentBlocks,
    hasChecksums: checksums > 0,
    held: {
      connections: number('connections'),
      workers: number('workers'),
      walSenders: number('walSenders'),
      preparedTransactions: number('preparedTransactions'),
      locksPerTransaction: number('locksPerTransaction'),
      tracksCommits: bytes.readUInt8(found + before.tracksCommits) === 1,
    },
  };
}
