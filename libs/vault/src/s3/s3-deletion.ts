/**
 * Removes objects of a bucket. Where the bucket keeps versions, each version is removed: a plain removal would hide the object and
 * keep its bytes.
 */
import type { ListObjectVersionsCommandOutput, ObjectIdentifier } from '@aws-sdk/client-s3';
import { HollowAnswer } from '../object/store-refusal.js';
import { refusalIn } from './s3-answer.js';
import type { S3Connection } from './s3-sdk.js';

/** The store's most for one request. */
const mostAtOnce = 1_000;
/** So many keys are looked for at a time. */
const mostLists = 16;

/** What the store kept, with its reason. */
export interface KeptVersion {
  key: string;
  versionId: string | undefined;
  code: string;
  message: string;
}

interface VersionMarkers {
  KeyMarker?: string | undefined;
  VersionIdMarker?: string | undefined;
}

export interface DeletionParts {
  connection: S3Connection;
  bucket: string;
  signal: AbortSignal;
  /** Makes a request, again where that may help. */
  ask<T>(request: () => Promise<T>): Promise<T>;
}

export class S3Deletion {
  constructor(private readonly parts: DeletionParts) {}

  /** @returns what the store did not remove */
  async of(keys: readonly string[]): Promise<KeptVersion[]> {
    const kept: KeptVersion[] = [];
    const versions = keys.length > 0 && (await this.keepsVersions());
    const step = versions ? mostLists : mostAtOnce;
    for (let at = 0; at < keys.length; at += step) {
      const some = keys.slice(at, at + step);
      const objects = versions
        ? (await Promise.all(some.map((key) => this.versionsOf(key)))).flat()
        : some.map((Key) => ({ Key }));
      for (let from = 0; from < objects.length; from += mostAtOnce)
        kept.push(...(await this.remove(objects.slice(from, from + mostAtOnce))));
    }
    return kept;
  }

  private async keepsVersions(): Promise<boolean> {
    const { connection, bucket, signal, ask } = this.parts;
    try {
      const asked = new connection.sdk.GetBucketVersioningCommand({ Bucket: bucket });
      const { Status } = await ask(() => connection.client.send(asked, { abortSignal: signal }));
      return Status !== undefined;
    } catch (error) {
      const { code, status } = refusalIn(error);
      // A store that does not know the question keeps no versions.
      if (status === 501 || code === 'NotImplemented' || code === 'VersioningNotConfigured') return false;
      throw error;
    }
  }

  private async versionsOf(key: string): Promise<ObjectIdentifier[]> {
    const found: ObjectIdentifier[] = [];
    let from: VersionMarkers | undefined = {};
    while (from) {
      const page: ListObjectVersionsCommandOutput = await this.versionsFrom(key, from);
      const all = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])];
      for (const { Key, VersionId } of all) if (Key === key) found.push({ Key, VersionId });
      // Longer names that begin with this key come behind it.
      const isOver = !page.IsTruncated || all.some(({ Key }) => Key !== key);
      from = isOver ? undefined : { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker };
    }
    return found;
  }

  private versionsFrom(key: string, from: VersionMarkers): Promise<ListObjectVersionsCommandOutput> {
    const { connection, bucket, signal, ask } = this.parts;
    const asked = new connection.sdk.ListObjectVersionsCommand({ Bucket: bucket, Prefix: key, ...from });
    return ask(() => connection.client.send(asked, { abortSignal: signal }));
  }

  private async remove(objects: ObjectIdentifier[]): Promise<KeptVersion[]> {
    const { connection, bucket, signal, ask } = this.parts;
    const asked = new connection.sdk.DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: objects } });
    const { Errors } = await ask(async () => {
      const { Deleted = [], Errors = [] } = await connection.client.send(asked, { abortSignal: signal });
      // The page of a proxy would look like a success.
      if (Deleted.length + Errors.length < objects.length)
        throw new HollowAnswer('it does not say what it has removed');
      const isHidden = Deleted.some(({ Key, VersionId, DeleteMarker }) => Key && !VersionId && DeleteMarker);
      if (isHidden) throw new HollowAnswer('it has hidden an object, and removed nothing');
      return { Errors };
    });
    return Errors.filter(({ Code }) => Code !== 'NoSuchKey' && Code !== 'NoSuchVersion').map((each) => ({
      key: each.Key ?? '',
      versionId: each.VersionId,
      code: each.Code ?? '',
      message: each.Message ?? '',
    }));
  }
}
