/**
 * The forms of what a PostgreSQL server may say of itself. A server is a stranger: each string and number of it is parsed here
 * before anything is done with it, and what has another form ends the attempt as a `protocol-violation`.
 */
import { z } from 'zod';
import { EngineFault } from '../engine-fault.js';
import { isLsn } from './lsn.js';
import { clipped } from './server-words.js';

const gibibyte = 1_073_741_824;
/** Servers are built with segments of 1 GiB, and seldom with others. */
const mostSegmentBytes = 64 * gibibyte;
/** The blocks of 8 KiB in the largest segment. */
const mostSegmentBlocks = mostSegmentBytes / 8_192;
const mostOid = 0xffff_ffff;
const bytesOf: Record<string, number> = { B: 1, kB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30, TB: 2 ** 40 };

/** PostgreSQL can be built with these sizes of a page, in bytes. */
export const blockSizes: ReadonlySet<unknown> = new Set([1_024, 2_048, 4_096, 8_192, 16_384, 32_768]);

/** Text without control characters. */
export const words = (mostChars: number) =>
  z
    .string()
    .max(mostChars)
    .regex(/^\P{Cc}*$/u);

/** A whole number in decimal digits, as every number comes. */
export const digits = (most: number, least = 0) =>
  z
    .string()
    .regex(/^\d{1,16}$/)
    .transform(Number)
    .pipe(z.int().min(least).max(most));

export const oid = digits(mostOid);
export const lsn = z.string().refine(isLsn);
export const timeline = digits(0xffff_ffff, 1);
export const truth = z.enum(['t', 'f']).transform((said) => said === 't');
export const onOrOff = z.enum(['on', 'off']);
/** `on` and `off`, and the states between them of newer versions. */
export const dataChecksums = z.string().regex(/^[a-z-]{1,32}$/);
export const versionNumber = digits(9_999_999);
/** Such as `18.4 (Debian 18.4-1.pgdg12+1)`, of which the first word counts. */
export const version = words(256)
  .transform((text) => text.split(' ')[0] ?? '')
  .pipe(z.string().regex(/^\d[\w.+~-]{0,31}$/));
export const systemId = z.string().regex(/^\d{1,20}$/);
export const blockSize = digits(32_768).refine((bytes) => blockSizes.has(bytes));
/** Such as `1GB`, or `-1` where there is no limit. */
export const sizeSetting = z.string().regex(/^(?:-1|\d{1,12}(?:[kMGT]?B)?)$/);
/** Where the server has a tablespace. A name of a file may hold any character but NUL. */
export const location = z
  .string()
  .min(1)
  .max(4_096)
  .regex(/^[^\0]*$/);
/** The estimate of a size, in kilobytes. */
export const kilobytes = digits(Number.MAX_SAFE_INTEGER / 1_024);
/** The name of an archive in the stream of a backup. */
export const archiveName = z.string().regex(/^(?:base|\d{1,10})\.tar$/);

/** How many blocks a segment has, by its size and that of a block. Undefined for sizes that no server has. */
export function segmentBlocksOf(segmentSize: string, blockBytes: number): number | undefined {
  const blocks = bytesOfSize(segmentSize) / blockBytes;
  return areSegmentBlocks(blocks) ? blocks : undefined;
}

export function areSegmentBlocks(blocks: unknown): blocks is number {
  return Number.isSafeInteger(blocks) && Number(blocks) > 0 && Number(blocks) <= mostSegmentBlocks;
}

/** The bytes of a size that SHOW gives, such as `1GB`. NaN for what is none, such as `-1`. */
export function bytesOfSize(size: string): number {
  const [, count, unit = ''] = /^(\d+)([kMGT]?B)$/.exec(size) ?? [];
  return Number(count) * (bytesOf[unit] ?? Number.NaN);
}

/** Parses what came in answer to something. @throws {EngineFault} `protocol-violation`, which quotes the answer */
export function parsed<T>(form: z.ZodType<T>, said: unknown, asked: string): T {
  const found = form.safeParse(said);
  if (found.success) return found.data;
  throw violation(`in answer to ${clipped(asked.trim(), 60)} it said ${quoted(said)}, which no server says`);
}

export function violation(what: string): EngineFault {
  return new EngineFault(
    'protocol-violation',
    `What answers there does not speak as PostgreSQL does: ${what}. See that the host and the port are those of the server.`,
  );
}

function quoted(said: unknown): string {
  return clipped(JSON.stringify(said) ?? 'nothing', 120);
}
