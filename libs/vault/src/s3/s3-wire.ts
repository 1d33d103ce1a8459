/**
 * What is said to a store of S3. Each object is one request with its SHA-256, so that the store takes all of it or nothing.
 */
import { Readable } from 'node:stream';
import type { GetObjectCommandInput, PutObjectCommandInput } from '@aws-sdk/client-s3';
import type { S3Address } from '@strongroom/contracts';
import type { BucketLock } from '../bucket-lock.js';
import type { ObjectFacts, PutCondition, PutOptions } from '../object/object-store.js';
import {
  digestName,
  type Kept,
  type ListPage,
  lockIn,
  type Opened,
  type Seen,
  totalIn,
  type Wanted,
  type Wire,
} from '../object/remote-store.js';
import type { ToldStore } from '../object/store-fault.js';
import { HollowAnswer } from '../object/store-refusal.js';
import { refusalIn } from './s3-answer.js';
import { copyInside } from './s3-copy.js';
import { S3Deletion } from './s3-deletion.js';
import { base64Of, factsOf } from './s3-facts.js';
import { refusesAccess } from './s3-fault.js';
import { type S3Connection, signedOver, timeOfAnswer } from './s3-sdk.js';

export class S3Wire implements Wire {
  readonly refusesAccess = refusesAccess;

  constructor(
    readonly told: ToldStore,
    private readonly address: S3Address,
    private readonly connection: S3Connection,
  ) {}

  async open({ key, range, tag }: Wanted, signal: AbortSignal): Promise<Opened | undefined> {
    const { client, sdk } = this.connection;
    const input: GetObjectCommandInput = {
      ...this.named(key),
      ...(range && { Range: `bytes=${range.from}-${range.from + range.bytes - 1}` }),
      ...(tag !== undefined && { IfMatch: tag }),
    };
    const answer = await orAbsent(client.send(new sdk.GetObjectCommand(input), { abortSignal: signal }));
    if (!answer) return undefined;
    const { Body: body, ContentLength = 0, ContentRange } = answer;
    if (!(body instanceof Readable)) throw new HollowAnswer('the answer has no body');
    try {
      const total = range ? totalIn(ContentRange, range.from) : ContentLength;
      const bytes = range ? Math.min(range.bytes, total - range.from) : total;
      return { facts: factsOf(key, answer, { bytes: total }), body, bytes };
    } catch (error) {
      body.destroy();
      throw error;
    }
  }

  async look(key: string, signal: AbortSignal): Promise<Seen | undefined> {
    const { client, sdk } = this.connection;
    const ask = async () => {
      const asked = new sdk.HeadObjectCommand({ ...this.named(key), ChecksumMode: 'ENABLED' });
      const answeredAt = timeOfAnswer(asked);
      const told = await client.send(asked, { abortSignal: signal });
      const at = answeredAt();
      return { facts: factsOf(key, told, { now: at }), noted: told.Metadata?.[digestName], at };
    };
    // An answer without a body does not say what is missing, the object or the bucket, nor why something is refused.
    for (let isSecond = false; ; isSecond = true) {
      try {
        return await ask();
      } catch (error) {
        const { status = 500, passes } = refusalIn(error);
        if (passes || status < 300 || status >= 500) throw error;
        await this.mustHaveBucket(signal);
        if (status === 404) return undefined;
        if (isSecond) throw error;
      }
    }
  }

  async send(
    { key, bytes, options }: { key: string; bytes: Buffer; options: PutOptions },
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { client, sdk } = this.connection;
    const input: PutObjectCommandInput = {
      ...this.named(key),
      Body: bytes,
      ContentLength: bytes.length,
      ContentType: 'application/octet-stream',
      ChecksumSHA256: base64Of(options.sha256),
      Metadata: { [digestName]: options.sha256 },
      ...conditionOf(options.if),
      ...(this.lockMode &&
        options.lockUntil && { ObjectLockMode: this.lockMode, ObjectLockRetainUntilDate: options.lockUntil }),
    };
    try {
      const command = signedOver(new sdk.PutObjectCommand(input), options.sha256);
      const { ETag } = await client.send(command, { abortSignal: signal });
      if (!ETag) throw new HollowAnswer('the answer lacks what an S3 store tells of an object');
      return ETag;
    } catch (error) {
      const { code, status } = refusalIn(error);
      // An object that should have been replaced may be gone.
      if (status === 412 || (code === 'NoSuchKey' && options.if !== 'absent')) return undefined;
      throw error;
    }
  }

  /** @returns undefined when the store refuses to copy */
  copy(from: { bucket: string; key: string }, key: string, signal: AbortSignal): Promise<ObjectFacts | undefined> {
    const { Bucket: bucket, Key } = this.named(key);
    const look = async () => (await this.look(key, signal))?.facts;
    return copyInside(this.connection, { from, to: { bucket, key: Key }, signal, look });
  }

  async page(prefix: string, from: string | undefined, signal: AbortSignal): Promise<ListPage> {
    const { client, sdk } = this.connection;
    const { bucket: Bucket, prefix: before } = this.address;
    const asked = { Bucket, Prefix: `${before}${prefix}`, ContinuationToken: from };
    const answer = await client.send(new sdk.ListObjectsV2Command(asked), { abortSignal: signal });
    mustBeList(answer);
    const objects = (answer.Contents ?? []).map(({ Key = '', Size, ...told }) =>
      factsOf(Key.slice(before.length), told, { bytes: Size }),
    );
    return { objects, next: answer.IsTruncated ? answer.NextContinuationToken : undefined };
  }

  async remove(
    keys: readonly string[],
    ask: <T>(request: () => Promise<T>) => Promise<T>,
    signal: AbortSignal,
  ): Promise<Kept[]> {
    const { connection, address } = this;
    const { bucket, prefix } = address;
    const deletion = new S3Deletion({ connection, bucket, signal, ask });
    const [first, ...others] = await deletion.of(keys.map((key) => `${prefix}${key}`));
    if (!first) return [];
    const { client, sdk } = connection;
    const { key: Key, versionId: VersionId } = first;
    const asked = new sdk.HeadObjectCommand({ Bucket: bucket, Key, VersionId });
    const answeredAt = timeOfAnswer(asked);
    const told = await ask(() => client.send(asked, { abortSignal: signal }));
    // Where its lock is over, something else keeps it.
    const { lockedUntil: until } = lockIn(told.ObjectLockRetainUntilDate, answeredAt());
    return [
      { key: Key, until, error: refused(first) },
      ...others.map((each) => ({ key: each.key, until: undefined, error: refused(each) })),
    ];
  }

  async keep(key: string, until: Date, signal: AbortSignal): Promise<void> {
    const { client, sdk } = this.connection;
    const Retention = { Mode: this.lockMode, RetainUntilDate: until };
    await client.send(new sdk.PutObjectRetentionCommand({ ...this.named(key), Retention }), { abortSignal: signal });
  }

  async bucketLock(signal: AbortSignal): Promise<BucketLock> {
    const { client, sdk } = this.connection;
    const asked = new sdk.GetObjectLockConfigurationCommand({ Bucket: this.address.bucket });
    try {
      const { ObjectLockConfiguration: told } = await client.send(asked, { abortSignal: signal });
      if (!told) throw new HollowAnswer('the answer is no configuration of Object Lock');
      if (told.ObjectLockEnabled !== 'Enabled') return 'off';
      return told.Rule?.DefaultRetention ? 'on-for-all' : 'on';
    } catch (error) {
      const { code } = refusalIn(error);
      if (code === 'ObjectLockConfigurationNotFoundError') return 'off';
      if (refusesAccess(error)) return 'unknown';
      throw error;
    }
  }

  private async mustHaveBucket(signal: AbortSignal): Promise<void> {
    const { client, sdk } = this.connection;
    const { bucket, prefix } = this.address;
    const asked = new sdk.ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, MaxKeys: 1 });
    mustBeList(await client.send(asked, { abortSignal: signal }));
  }

  private named(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.address.bucket, Key: `${this.address.prefix}${key}` };
  }

  private get lockMode(): 'COMPLIANCE' | 'GOVERNANCE' | undefined {
    const { lock } = this.address;
    return lock && (lock === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE');
  }
}

/** The page of a proxy would look like an empty bucket. */
function mustBeList({ IsTruncated }: { IsTruncated?: boolean | undefined }): void {
  if (typeof IsTruncated !== 'boolean') throw new HollowAnswer('the answer is no list of a bucket');
}

function conditionOf(condition: PutCondition): Pick<PutObjectCommandInput, 'IfMatch' | 'IfNoneMatch'> {
  return condition === 'absent' ? { IfNoneMatch: '*' } : { IfMatch: condition.tag };
}

/** Only a store of S3 says `NoSuchKey`. The SDK calls any other 404 `NotFound`. */
async function orAbsent<T>(looking: Promise<T>): Promise<T | undefined> {
  try {
    return await looking;
  } catch (error) {
    if (refusalIn(error).code === 'NoSuchKey') return undefined;
    throw error;
  }
}

/** What an answer to many removals says of one of them. */
function refused({ code, message }: { code: string; message: string }): Error {
  return Object.assign(new Error(message), { name: code, $metadata: { httpStatusCode: 403 } });
}
