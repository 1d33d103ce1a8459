/**
 * A store of objects in a bucket of S3, or of a store that speaks its protocol. Each object is one request with its SHA-256, so that
 * the store takes all of it or nothing. Its faults are those of a vault.
 */
import { Readable } from 'node:stream';
import type { GetObjectCommandInput, PutObjectCommandInput } from '@aws-sdk/client-s3';
import type { S3Address } from '@strongroom/contracts';
import {
  type ObjectFacts,
  ObjectStore,
  type PutCondition,
  type PutOptions,
  WriteRefused,
} from '../object/object-store.js';
import { VaultFault } from '../vault-fault.js';
import { refusalIn } from './s3-answer.js';
import { bodyOf } from './s3-body.js';
import { areOneStore, copyInside } from './s3-copy.js';
import { type Kept, S3Deletion } from './s3-deletion.js';
import { base64Of, factsOf, HollowAnswer } from './s3-facts.js';
import { refusesAccess, s3Fault, storeOf } from './s3-fault.js';
import { patiently, type S3Patience, usualPatience } from './s3-patience.js';
import { connectS3, type S3Connection, signedOver, timeOfAnswer } from './s3-sdk.js';

/** Our own word for the SHA-256, beside the object. A store that keeps no checksum keeps it. */
const digestName = 'strongroom-sha256';
const gibibyte = 2 ** 30;

export class S3Store extends ObjectStore {
  /** That of S3 for one request. */
  readonly mostObjectBytes = 5 * gibibyte;
  private readonly patience: S3Patience;
  private connecting: Promise<S3Connection> | undefined;

  constructor(
    private readonly region: string,
    private readonly address: S3Address,
    patience: Partial<S3Patience> = {},
  ) {
    super();
    this.patience = { ...usualPatience, ...patience };
  }

  locationOf(key: string): string {
    return `s3://${this.address.bucket}/${this.keyOf(key)}`;
  }

  get(
    key: string,
    signal: AbortSignal,
    range?: { from: number; bytes: number },
  ): Promise<{ facts: ObjectFacts; body: AsyncIterable<Buffer> } | undefined> {
    return this.doing(`read ${key}`, signal, async (connection) => {
      const found = await this.ask(signal, () => this.orAbsent(() => this.open(connection, { key, range }, signal)));
      if (!found) return undefined;
      const { facts, body: first, bytes } = found;
      const again = async (rest: { from: number; bytes: number }) =>
        (await this.ask(signal, () => this.open(connection, { key, range: rest, tag: facts.tag }, signal))).body;
      const { patience } = this;
      const body = bodyOf({ first, from: range?.from ?? 0, bytes, again, patience, signal });
      return { facts, body: this.withFaults(body, `read ${key}`, signal) };
    });
  }

  head(key: string, signal: AbortSignal): Promise<ObjectFacts | undefined> {
    return this.doing(`look at ${key}`, signal, async (connection) => {
      const seen = await this.ask(signal, () => this.look(connection, key, signal));
      return seen?.facts;
    });
  }

  put(key: string, bytes: Buffer, options: PutOptions, signal: AbortSignal): Promise<ObjectFacts | undefined> {
    return this.doing(`put ${key}`, signal, (connection) =>
      this.ask(signal, async () => {
        const tag = await this.send(connection, { key, bytes, options }, signal);
        const there = await this.look(connection, key, signal);
        if (tag === undefined) return there && isOf(there, options.sha256, bytes) ? there.facts : undefined;
        if (!there) throw new HollowAnswer('the object is not there');
        const { facts } = there;
        // Somebody has put another one since, for which ours had to be there.
        if (facts.tag !== tag) return { key, bytes: bytes.length, tag, putAt: facts.putAt, sha256: options.sha256 };
        if (!isOf(there, options.sha256, bytes)) throw new HollowAnswer('the object is another one');
        return facts;
      }),
    );
  }

  override async copy(
    from: { store: ObjectStore; key: string },
    key: string,
    signal: AbortSignal,
  ): Promise<ObjectFacts | undefined> {
    const { store } = from;
    if (!(store instanceof S3Store) || !areOneStore(store.address, this.address)) return undefined;
    const source = { bucket: store.address.bucket, key: store.keyOf(from.key) };
    const target = { bucket: this.address.bucket, key: this.keyOf(key) };
    return this.doing(`copy ${key}`, signal, (connection) => {
      const look = async () => (await this.look(connection, key, signal))?.facts;
      return this.ask(signal, () => copyInside(connection, { from: source, to: target, signal, look }));
    });
  }

  async *list(prefix: string, signal: AbortSignal): AsyncIterable<ObjectFacts> {
    const { bucket } = this.address;
    let last = '';
    for (let token: string | undefined, isLast = false; !isLast; ) {
      const page = await this.doing(`list ${prefix}`, signal, ({ client, sdk }) =>
        this.ask(signal, async () => {
          const asked = { Bucket: bucket, Prefix: this.keyOf(prefix), ContinuationToken: token };
          const answer = await client.send(new sdk.ListObjectsV2Command(asked), { abortSignal: signal });
          // The page of a proxy would look like an empty bucket.
          if (typeof answer.IsTruncated !== 'boolean') throw new HollowAnswer('the answer is no list of a bucket');
          return answer;
        }),
      );
      for (const { Key = '', Size, ...told } of page.Contents ?? []) {
        const key = Key.slice(this.address.prefix.length);
        if (key <= last) throw this.fault(new Error('its list is not in the order of keys'), `list ${prefix}`);
        last = key;
        yield factsOf(key, told, { bytes: Size });
        signal.throwIfAborted();
      }
      token = page.NextContinuationToken;
      isLast = !page.IsTruncated || token === undefined;
    }
  }

  delete(keys: readonly string[], signal: AbortSignal): Promise<void> {
    return this.doing(
      `remove ${keys.length === 1 ? keys[0] : `${keys.length} objects`}`,
      signal,
      async (connection) => {
        const ask = <T>(request: () => Promise<T>) => this.ask(signal, request);
        const { bucket } = this.address;
        const deletion = new S3Deletion({ connection, bucket, signal, ask });
        const kept = await deletion.of(keys.map((key) => this.keyOf(key)));
        if (kept.length > 0) throw await this.whyKept(connection, kept, signal);
      },
    );
  }

  override get keeps(): boolean {
    return this.lockMode !== undefined;
  }

  override keepUntil(key: string, until: Date, signal: AbortSignal): Promise<boolean> {
    return this.doing(`lock ${key}`, signal, async ({ client, sdk }) => {
      const Mode = this.lockMode;
      if (Mode === undefined) return false;
      return this.ask(signal, async () => {
        const seen = await this.look({ client, sdk }, key, signal);
        if (!seen) return false;
        if (seen.facts.lockedUntil && seen.facts.lockedUntil >= until) return true;
        const Retention = { Mode, RetainUntilDate: until };
        const asked = { Bucket: this.address.bucket, Key: this.keyOf(key), Retention };
        await client.send(new sdk.PutObjectRetentionCommand(asked), { abortSignal: signal });
        return true;
      });
    });
  }

  private async open(
    { client, sdk }: S3Connection,
    { key, range, tag }: { key: string; range?: { from: number; bytes: number } | undefined; tag?: string },
    signal: AbortSignal,
  ): Promise<{ facts: ObjectFacts; body: Readable; bytes: number }> {
    const input: GetObjectCommandInput = {
      Bucket: this.address.bucket,
      Key: this.keyOf(key),
      ...(range && { Range: `bytes=${range.from}-${range.from + range.bytes - 1}` }),
      ...(tag !== undefined && { IfMatch: tag }),
    };
    const answer = await client.send(new sdk.GetObjectCommand(input), { abortSignal: signal });
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

  /** @returns undefined when the bucket is there, and the object is not */
  private async look(connection: S3Connection, key: string, signal: AbortSignal): Promise<Seen | undefined> {
    const { client, sdk } = connection;
    const { bucket: Bucket } = this.address;
    const ask = async () => {
      const asked = new sdk.HeadObjectCommand({ Bucket, Key: this.keyOf(key), ChecksumMode: 'ENABLED' });
      const answeredAt = timeOfAnswer(asked);
      const told = await client.send(asked, { abortSignal: signal });
      return { facts: factsOf(key, told, { now: answeredAt() }), noted: told.Metadata?.[digestName] };
    };
    // An answer without a body does not say what is missing, the object or the bucket, nor why something is refused.
    for (let isSecond = false; ; isSecond = true) {
      try {
        return await ask();
      } catch (error) {
        const { status = 500, passes } = refusalIn(error);
        if (passes || status < 300 || status >= 500) throw error;
        await this.mustHaveBucket(connection, signal);
        if (status === 404) return undefined;
        if (isSecond) throw error;
      }
    }
  }

  private async mustHaveBucket({ client, sdk }: S3Connection, signal: AbortSignal): Promise<void> {
    const { bucket, prefix } = this.address;
    const asked = new sdk.ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, MaxKeys: 1 });
    const { IsTruncated } = await client.send(asked, { abortSignal: signal });
    if (typeof IsTruncated !== 'boolean') throw new HollowAnswer('the answer is no list of a bucket');
  }

  /** @returns the tag of what was put, or undefined when the condition did not hold */
  private async send(
    { client, sdk }: S3Connection,
    { key, bytes, options }: { key: string; bytes: Buffer; options: PutOptions },
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const lock = this.lockMode;
    const input: PutObjectCommandInput = {
      Bucket: this.address.bucket,
      Key: this.keyOf(key),
      Body: bytes,
      ContentLength: bytes.length,
      ContentType: 'application/octet-stream',
      ChecksumSHA256: base64Of(options.sha256),
      Metadata: { [digestName]: options.sha256 },
      ...conditionOf(options.if),
      ...(lock &&
        options.lockUntil && {
          ObjectLockMode: lock,
          ObjectLockRetainUntilDate: options.lockUntil,
        }),
    };
    try {
      const command = signedOver(new sdk.PutObjectCommand(input), options.sha256);
      const { ETag } = await client.send(command, { abortSignal: signal });
      if (!ETag) throw new HollowAnswer('the answer lacks what an S3 store tells of an object');
      return ETag;
    } catch (error) {
      const { code, status } = refusalIn(error);
      if (refusesAccess(error)) {
        const { message, cause } = this.fault(error, `put ${key}`);
        throw new WriteRefused('vault-unavailable', this.region, message, { cause });
      }
      // An object that should have been replaced may be gone.
      if (status === 412 || (code === 'NoSuchKey' && options.if !== 'absent')) return undefined;
      throw error;
    }
  }

  /** Only a store of S3 says `NoSuchKey`. The SDK calls any other 404 `NotFound`. */
  private async orAbsent<T>(look: () => Promise<T>): Promise<T | undefined> {
    try {
      return await look();
    } catch (error) {
      if (refusalIn(error).code === 'NoSuchKey') return undefined;
      throw error;
    }
  }

  private async whyKept(
    { client, sdk }: S3Connection,
    kept: readonly Kept[],
    signal: AbortSignal,
  ): Promise<VaultFault> {
    const { region, address } = this;
    const [first] = kept;
    const { key: Key = '', versionId: VersionId, code = '', message = '' } = first ?? {};
    const asked = new sdk.HeadObjectCommand({ Bucket: address.bucket, Key, VersionId });
    const { ObjectLockRetainUntilDate: until } = await this.ask(signal, () =>
      client.send(asked, { abortSignal: signal }),
    );
    const what = `remove ${kept.length === 1 ? Key : `${kept.length} objects`}`;
    if (until === undefined) return s3Fault(refused(code, message), { region, address }, what);
    const says = `The vault of ${region}, ${storeOf(address)}, keeps ${Key} until ${until.toISOString()} from everybody. Remove it after that.`;
    return new VaultFault('object-locked', region, says);
  }

  private async doing<T>(what: string, signal: AbortSignal, run: (connection: S3Connection) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    try {
      return await run(await this.connection());
    } catch (error) {
      signal.throwIfAborted();
      throw this.fault(error, what);
    }
  }

  private async *withFaults(body: AsyncIterable<Buffer>, what: string, signal: AbortSignal): AsyncGenerator<Buffer> {
    try {
      yield* body;
    } catch (error) {
      signal.throwIfAborted();
      throw this.fault(error, what);
    }
  }

  private ask<T>(signal: AbortSignal, request: () => Promise<T>): Promise<T> {
    return patiently(this.patience, signal, request);
  }

  private connection(): Promise<S3Connection> {
    this.connecting ??= connectS3(this.address, this.patience.silentMs);
    return this.connecting;
  }

  private fault(error: unknown, what: string): VaultFault {
    const { region, address } = this;
    return s3Fault(error, { region, address }, what);
  }

  private get lockMode(): 'COMPLIANCE' | 'GOVERNANCE' | undefined {
    const { lock } = this.address;
    return lock && (lock === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE');
  }

  private keyOf(key: string): string {
    return `${this.address.prefix}${key}`;
  }
}

/** What a store tells of an object, and what we have noted beside it. */
interface Seen {
  facts: ObjectFacts;
  noted: string | undefined;
}

function isOf({ facts, noted }: Seen, sha256: string, bytes: Buffer): boolean {
  return facts.bytes === bytes.length && (facts.sha256 ?? noted) === sha256;
}

function conditionOf(condition: PutCondition): Pick<PutObjectCommandInput, 'IfMatch' | 'IfNoneMatch'> {
  return condition === 'absent' ? { IfNoneMatch: '*' } : { IfMatch: condition.tag };
}

/** The size of an object in an answer with a part of it. An answer with another part is none. */
function totalIn(range: string | undefined, from: number): number {
  const [, first, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(range ?? '') ?? [];
  if (first === undefined || Number(first) !== from)
    throw new HollowAnswer('the answer has another part of the object');
  return Number(total);
}

/** What an answer to many removals says of one of them. */
function refused(code: string, message: string): Error {
  return Object.assign(new Error(message), { name: code, $metadata: { httpStatusCode: 403 } });
}
