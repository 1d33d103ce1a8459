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
}

const recognised = Buffer.alloc(8);
recognised.writeDoubleLE(1_234_567);
const at = { blockSize: 8, segmentBlocks: 12, checksums: 44 };
const align = 8;
/** The size of the file. What it holds is shorter. */
const fileBytes = 8_192;
const mostChecksumVersions = 8;

/** Undefined when the file is not of a form that is known here. */
export async function controlFileAt(path: Buffer): Promise<ControlFile | undefined> {
  const bytes = await buffer(createReadStream(path, { end: fileBytes - 1 })).catch(() => Buffer.alloc(0));
  const found = bytes.indexOf(recognised);
  if (found === -1 || found % align !== 0 || bytes.length < found + at.checksums + 4) return undefined;
  const [blockSize, segmentBlocks, checksums] = [at.blockSize, at.segmentBlocks, at.checksums].map((offset) =>
    bytes.readUInt32LE(found + offset),
  ) as [number, number, number];
  const isUnderstood = blockSizes.has(blockSize) && areSegmentBlocks(segmentBlocks) && checksums < mostChecksumVersions;
  return isUnderstood ? { blockSize, segmentBlocks, hasChecksums: checksums > 0 } : undefined;
}
