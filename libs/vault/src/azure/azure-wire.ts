/**
 * What is said to Azure Blob Storage. An object is put by one request with its MD5, which the store compares, under the tag that must
 * be there.
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { BlobImmutabilityPolicy, ContainerClient } from '@azure/storage-blob';
import type { AzureAddress } from '@strongroom/contracts';
import { InFlight } from '../object/in-flight.js';
import type { ObjectFacts, PutOptions } from '../object/object-store.js';
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
import { refusalIn } from './azure-answer.js';
import { type Listening, listening } from './silence.js';

/** The store's names of what we note have no hyphens. */
const notedName = digestName.replaceAll('-', '_');
/** So many objects are removed at a time. */
const mostAtOnce = 16;
/** The credential is right, and may not do this. */
const mayNot: ReadonlySet<string> = new Set([
  'AuthorizationFailure',
  'AuthorizationPermissionMismatch',
  'InsufficientAccountPermissions',
]);

export class AzureWire implements Wire {
  /** Whether the account keeps versions of what is removed; undefined until an answer has told. */
  private keepsVersions: boolean | undefined;

  /** @param container gives the container, with the keys that count now */
  constructor(
    readonly told: ToldStore,
    private readonly address: AzureAddress,
    private readonly parts: { container: () => Promise<ContainerClient>; silentMs: number },
  ) {}

  async open({ key, range, tag }: Wanted, signal: AbortSignal): Promise<Opened | undefined> {
    const blob = await this.blob(key);
    const heard = listening(signal, this.parts.silentMs);
    try {
      const told = await orAbsent(
        blob.download(range?.from ?? 0, range?.bytes, {
          abortSignal: heard.signal,
          maxRetryRequests: 0,
          onProgress: heard.alive,
          conditions: tag === undefined ? {} : { ifMatch: `"${tag}"` },
        }),
      );
      if (!told) {
        heard.end();
        return undefined;
      }
      const { readableStreamBody: body, contentLength = 0, contentRange } = told;
      if (!(body instanceof Readable)) throw new HollowAnswer('the answer has no body');
      body.once('close', heard.end);
      const total = range ? totalIn(contentRange, range.from) : contentLength;
      const bytes = range ? Math.min(range.bytes, total - range.from) : total;
      return { facts: factsOf(key, told, { bytes: total, now: told.date }), body, bytes };
    } catch (error) {
      heard.end();
      throw error;
    }
  }

  async look(key: string, signal: AbortSignal): Promise<Seen | undefined> {
    const blob = await this.blob(key);
    return this.heard(signal, async (heard) => {
      const told = await orAbsent(blob.getProperties({ abortSignal: heard.signal }));
      if (!told) return undefined;
      this.keepsVersions = told.versionId !== undefined;
      return {
        facts: factsOf(key, told, { bytes: told.contentLength, now: told.date }),
        noted: told.metadata?.[notedName],
        at: told.date,
      };
    });
  }

  async send(
    { key, bytes, options }: { key: string; bytes: Buffer; options: PutOptions },
    signal: AbortSignal,
  ): Promise<string | undefined> {
    // The store knows no SHA-256. So it is compared here, and what arrives is compared by the store with the MD5 of the same bytes.
    if (createHash('sha256').update(bytes).digest('hex') !== options.sha256)
      throw new Error('its bytes are not those that were to be put');
    const blob = await this.blob(key);
    try {
      return await this.heard(signal, async (heard) => {
        const { etag } = await blob.upload(bytes, bytes.length, {
          abortSignal: heard.signal,
          onProgress: heard.alive,
          conditions: options.if === 'absent' ? { ifNoneMatch: '*' } : { ifMatch: `"${options.if.tag}"` },
          blobHTTPHeaders: {
            blobContentType: 'application/octet-stream',
            blobContentMD5: createHash('md5').update(bytes).digest(),
          },
          metadata: { [notedName]: options.sha256 },
          ...(this.address.lock && options.lockUntil && { immutabilityPolicy: this.policy(options.lockUntil) }),
        });
        return tagIn(etag);
      });
    } catch (error) {
      const { code, status } = refusalIn(error);
      if (status === 412 || code === 'BlobAlreadyExists') return undefined;
      if (code === 'BlobNotFound' && options.if !== 'absent') return undefined;
      throw error;
    }
  }

  async page(prefix: string, from: string | undefined, signal: AbortSignal): Promise<ListPage> {
    const container = await this.parts.container();
    return this.heard(signal, async (heard) => {
      const before = this.address.prefix;
      const pages = container
        .listBlobsFlat({ prefix: `${before}${prefix}`, abortSignal: heard.signal })
        .byPage(from === undefined ? {} : { continuationToken: from });
      const { value } = await pages.next();
      if (!value?.segment) throw new HollowAnswer('the answer is no list of a container');
      const objects: ObjectFacts[] = [];
      for (const { name, properties } of value.segment.blobItems)
        objects.push(factsOf(name.slice(before.length), properties, { bytes: properties.contentLength }));
      return { objects, next: value.continuationToken || undefined };
    });
  }

  async remove(
    keys: readonly string[],
    ask: <T>(request: () => Promise<T>) => Promise<T>,
    signal: AbortSignal,
  ): Promise<Kept[]> {
    const kept: Kept[] = [];
    const removing = new InFlight(mostAtOnce, signal);
    for (const key of keys) {
      await removing.add(async () => {
        const seen = this.keepsVersions === false ? undefined : await ask(() => this.look(key, signal));
        try {
          await ask(() => this.removed(key, signal));
          if (this.keepsVersions) await this.removeVersions(key, ask, signal);
        } catch (error) {
          const { status, code } = refusalIn(error);
          if (status !== 409 && code !== 'BlobImmutableDueToPolicy') throw error;
          const now = seen ?? (await ask(() => this.look(key, signal)));
          kept.push({ key, until: now?.facts.lockedUntil, error });
        }
      });
    }
    await removing.done();
    return kept;
  }

  async keep(key: string, until: Date, signal: AbortSignal): Promise<void> {
    const blob = await this.blob(key);
    await this.heard(signal, (heard) => blob.setImmutabilityPolicy(this.policy(until), { abortSignal: heard.signal }));
  }

  refusesAccess(error: unknown): boolean {
    const { code, status } = refusalIn(error);
    return status === 403 && mayNot.has(code);
  }

  private async removed(key: string, signal: AbortSignal, versionId?: string): Promise<void> {
    const blob = await this.blob(key);
    const which = versionId === undefined ? blob : blob.withVersion(versionId);
    await this.heard(signal, (heard) => orAbsent(which.delete({ abortSignal: heard.signal })));
  }

  /** A plain removal only hides an object where the account keeps versions. */
  private async removeVersions(
    key: string,
    ask: <T>(request: () => Promise<T>) => Promise<T>,
    signal: AbortSignal,
  ): Promise<void> {
    const container = await this.parts.container();
    const name = `${this.address.prefix}${key}`;
    const versions: string[] = [];
    await ask(async () => {
      versions.length = 0;
      const all = container.listBlobsFlat({ prefix: name, includeVersions: true, abortSignal: signal });
      for await (const each of all) {
        if (each.name !== name) break;
        if (each.versionId !== undefined) versions.push(each.versionId);
      }
    });
    for (const versionId of versions) await ask(() => this.removed(key, signal, versionId));
  }

  private async heard<T>(signal: AbortSignal, run: (heard: Listening) => Promise<T>): Promise<T> {
    const heard = listening(signal, this.parts.silentMs);
    try {
      return await run(heard);
    } finally {
      heard.end();
    }
  }

  private async blob(key: string) {
    return (await this.parts.container()).getBlockBlobClient(`${this.address.prefix}${key}`);
  }

  private policy(until: Date): BlobImmutabilityPolicy {
    return { expiriesOn: until, policyMode: this.address.lock === 'compliance' ? 'Locked' : 'Unlocked' };
  }
}

/** The fields of an answer about an object. */
interface Told {
  etag?: string | undefined;
  lastModified?: Date | undefined;
  immutabilityPolicyExpiresOn?: Date | undefined;
}

/** @param now the time of the answer by the store's clock */
function factsOf(
  key: string,
  told: Told,
  { bytes, now }: { bytes: number | undefined; now?: Date | undefined },
): ObjectFacts {
  const { lastModified: putAt } = told;
  if (putAt === undefined || bytes === undefined)
    throw new HollowAnswer('the answer lacks what Azure tells of an object');
  return {
    key,
    bytes,
    tag: tagIn(told.etag),
    putAt,
    ...lockIn(told.immutabilityPolicyExpiresOn, now),
  };
}

/** A list gives it without the quotes that other answers have. */
function tagIn(etag: string | undefined): string {
  if (!etag) throw new HollowAnswer('the answer lacks the tag of the object');
  return etag.replace(/^"|"$/g, '');
}

async function orAbsent<T>(looking: Promise<T>): Promise<T | undefined> {
  try {
    return await looking;
  } catch (error) {
    if (refusalIn(error).code === 'BlobNotFound') return undefined;
    throw error;
  }
}
