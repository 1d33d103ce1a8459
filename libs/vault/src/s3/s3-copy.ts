/**
 * Has a store of S3 copy an object by itself, from one place to another that the same keys open. Nothing is replaced. What the store then
 * says of the copy is asked for anew, and a copy that it does not have is no success.
 */
import type { S3Address } from '@strongroom/contracts';
import type { ObjectFacts } from '../object/object-store.js';
import { HollowAnswer } from '../object/store-refusal.js';
import { refusalIn } from './s3-answer.js';
import type { S3Connection } from './s3-sdk.js';

export interface S3Copy {
  from: { bucket: string; key: string };
  to: { bucket: string; key: string };
  signal: AbortSignal;
  /** What the store says of the copy. */
  look(): Promise<ObjectFacts | undefined>;
}

/** Whether one request of these keys reaches both places. */
export function areOneStore(one: S3Address, other: S3Address): boolean {
  return (
    one.endpoint?.href === other.endpoint?.href &&
    one.region === other.region &&
    one.credentialsFile === other.credentialsFile
  );
}

/** @returns undefined when the store refuses to copy: the bytes must then be brought */
export async function copyInside(
  { client, sdk }: S3Connection,
  { from, to, signal, look }: S3Copy,
): Promise<ObjectFacts | undefined> {
  const source = [from.bucket, ...from.key.split('/')].map(encodeURIComponent).join('/');
  const asked = new sdk.CopyObjectCommand({
    Bucket: to.bucket,
    Key: to.key,
    CopySource: source,
    IfNoneMatch: '*',
    ChecksumAlgorithm: 'SHA256',
  });
  try {
    await client.send(asked, { abortSignal: signal });
  } catch (error) {
    const { status, passes } = refusalIn(error);
    if (passes || status === undefined) throw error;
    // It may be there: an earlier answer may have been lost.
    return status === 412 ? look() : undefined;
  }
  const there = await look();
  if (!there) throw new HollowAnswer('the copy is not there');
  return there;
}
