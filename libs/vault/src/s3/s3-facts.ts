/** Reads what a store tells of an object. What lacks a field that every S3 store has is no answer of one. */
import type { ObjectFacts } from '../object/object-store.js';
import { lockIn } from '../object/remote-store.js';
import { HollowAnswer } from '../object/store-refusal.js';

/** The fields of an answer to HEAD, GET or PUT. */
export interface S3Told {
  ETag?: string | undefined;
  ContentLength?: number | undefined;
  LastModified?: Date | undefined;
  ChecksumSHA256?: string | undefined;
  ObjectLockRetainUntilDate?: Date | undefined;
}

/** @param now the time of the answer by the store's clock */
export function factsOf(
  key: string,
  told: S3Told,
  { bytes = told.ContentLength, now }: { bytes?: number | undefined; now?: Date | undefined } = {},
): ObjectFacts {
  const { ETag: tag, LastModified: putAt } = told;
  if (!tag || putAt === undefined || bytes === undefined)
    throw new HollowAnswer('the answer lacks what an S3 store tells of an object');
  const sha256 = hexOf(told.ChecksumSHA256);
  return {
    key,
    bytes,
    tag,
    putAt,
    ...(sha256 !== undefined && { sha256 }),
    ...lockIn(told.ObjectLockRetainUntilDate, now),
  };
}

export function base64Of(sha256: string): string {
  return Buffer.from(sha256, 'hex').toString('base64');
}

/** The checksum of an object that was put in parts is of its parts, and has their number behind it. */
function hexOf(base64: string | undefined): string | undefined {
  const bytes = Buffer.from(base64 ?? '', 'base64');
  return bytes.length === 32 && base64?.length === 44 ? bytes.toString('hex') : undefined;
}
