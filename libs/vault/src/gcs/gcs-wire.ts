/**
 * What is said to Google Cloud Storage. An object is put by one request with its MD5, which the store compares, under the generation
 * that must be there. The generation is the tag: it changes with each put, and with nothing else.
 */
import { createHash } from 'node:crypto';
import type { GcsAddress } from '@strongroom/contracts';
import { z } from 'zod';
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
import { type GcsConnection, refusalIn } from './gcs-request.js';

const resource = z.looseObject({
  name: z.string(),
  generation: z.string(),
  size: z.coerce.number(),
  timeCreated: z.coerce.date(),
  metadata: z.record(z.string(), z.string()).optional(),
  retention: z.looseObject({ retainUntilTime: z.coerce.date() }).optional(),
});
type Resource = z.infer<typeof resource>;
const listed = z.looseObject({
  kind: z.literal('storage#objects'),
  items: z.array(resource).default([]),
  nextPageToken: z.string().optional(),
});

/** So many objects are removed at a time. */
const mostAtOnce = 16;

export class GcsWire implements Wire {
  constructor(
    readonly told: ToldStore,
    private readonly address: GcsAddress,
    private readonly connection: GcsConnection,
  ) {}

  async open({ key, range, tag }: Wanted, signal: AbortSignal): Promise<Opened | undefined> {
    const query = new URLSearchParams({ alt: 'media', ...(tag !== undefined && { generation: tag }) });
    const headers = range && { range: `bytes=${range.from}-${range.from + range.bytes - 1}` };
    const path = `${this.pathOf(key)}?${query}`;
    const asked = { method: 'GET', path, ...(headers && { headers }) } as const;
    const answer = await this.orAbsent(this.connection.ask(asked, signal), signal);
    if (!answer) return undefined;
    try {
      const told = answer.headers;
      const generation = told['x-goog-generation'];
      if (typeof generation !== 'string') throw new HollowAnswer('the answer lacks the generation of the object');
      const isPart = answer.statusCode === 206;
      const total = isPart ? totalIn(told['content-range'], range?.from ?? 0) : Number(told['content-length']);
      const bytes = range ? Math.min(range.bytes, total - range.from) : total;
      const putAt = new Date(told['last-modified'] ?? Number.NaN);
      return { facts: { key, bytes: total, tag: generation, putAt }, body: answer, bytes };
    } catch (error) {
      answer.destroy();
      throw error;
    }
  }

  async look(key: string, signal: AbortSignal): Promise<Seen | undefined> {
    const path = `${this.pathOf(key)}?projection=noAcl`;
    const found = await this.orAbsent(this.connection.json({ method: 'GET', path }, resource, signal), signal);
    if (!found) return undefined;
    const { told, at } = found;
    return { facts: factsOf(key, told, at), noted: told.metadata?.[digestName], at };
  }

  async send(
    { key, bytes, options }: { key: string; bytes: Buffer; options: PutOptions },
    signal: AbortSignal,
  ): Promise<string | undefined> {
    // The store knows no SHA-256. So it is compared here, and what arrives is compared by the store with the MD5 of the same bytes.
    if (createHash('sha256').update(bytes).digest('hex') !== options.sha256)
      throw new Error('its bytes are not those that were to be put');
    const metadata = {
      name: `${this.address.prefix}${key}`,
      contentType: 'application/octet-stream',
      md5Hash: createHash('md5').update(bytes).digest('base64'),
      metadata: { [digestName]: options.sha256 },
      ...(this.address.lock && options.lockUntil && { retention: this.retention(options.lockUntil) }),
    };
    const boundary = `strongroom-${options.sha256}`;
    const head = `--${boundary}\r\ncontent-type: application/json\r\n\r\n${JSON.stringify(metadata)}\r\n--${boundary}\r\ncontent-type: application/octet-stream\r\n\r\n`;
    const ifGenerationMatch = options.if === 'absent' ? '0' : options.if.tag;
    const query = new URLSearchParams({ uploadType: 'multipart', ifGenerationMatch });
    try {
      const { told } = await this.connection.json(
        {
          method: 'POST',
          path: `/upload${this.bucketPath}/o?${query}`,
          headers: { 'content-type': `multipart/related; boundary=${boundary}` },
          body: [Buffer.from(head), bytes, Buffer.from(`\r\n--${boundary}--\r\n`)],
        },
        resource,
        signal,
      );
      return told.generation;
    } catch (error) {
      if (refusalIn(error).status === 412) return undefined;
      throw error;
    }
  }

  async page(prefix: string, from: string | undefined, signal: AbortSignal): Promise<ListPage> {
    const { items, nextPageToken: next } = (await this.listed(prefix, { from, signal })).told;
    const objects = items.map((item) => factsOf(item.name.slice(this.address.prefix.length), item));
    return { objects, next };
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
        // A bucket that keeps versions would only hide the object. Each generation is removed by its number.
        for (const { generation, until } of await this.generationsOf(key, ask, signal)) {
          const path = `${this.pathOf(key)}?${new URLSearchParams({ generation })}`;
          try {
            await ask(async () => (await this.connection.ask({ method: 'DELETE', path }, signal)).resume());
          } catch (error) {
            const { status } = refusalIn(error);
            if (status === 404) continue;
            if (status !== 403 && status !== 412) throw error;
            kept.push({ key, until, error });
          }
        }
      });
    }
    await removing.done();
    return kept;
  }

  async keep(key: string, until: Date, signal: AbortSignal): Promise<void> {
    const body = [Buffer.from(JSON.stringify({ retention: this.retention(until) }))];
    const headers = { 'content-type': 'application/json' };
    await this.connection.json({ method: 'PATCH', path: this.pathOf(key), headers, body }, resource, signal);
  }

  refusesAccess(error: unknown): boolean {
    return refusalIn(error).status === 403;
  }

  /** Each with the end of its lock, where that is not over by the store's clock. */
  private async generationsOf(
    key: string,
    ask: <T>(request: () => Promise<T>) => Promise<T>,
    signal: AbortSignal,
  ): Promise<{ generation: string; until: Date | undefined }[]> {
    const found: { generation: string; until: Date | undefined }[] = [];
    const name = `${this.address.prefix}${key}`;
    for (let from: string | undefined, isOver = false; !isOver; ) {
      const { told, at } = await ask(() => this.listed(key, { from, signal, versions: true }));
      for (const { generation, retention } of told.items.filter((item) => item.name === name))
        found.push({ generation, until: lockIn(retention?.retainUntilTime, at).lockedUntil });
      from = told.nextPageToken;
      // Longer names that begin with this one come behind it.
      isOver = from === undefined || told.items.some((item) => item.name !== name);
    }
    return found;
  }

  private listed(
    prefix: string,
    { from, signal, versions = false }: { from: string | undefined; signal: AbortSignal; versions?: boolean },
  ): Promise<{ told: z.infer<typeof listed>; at: Date | undefined }> {
    const query = new URLSearchParams({
      prefix: `${this.address.prefix}${prefix}`,
      ...(from !== undefined && { pageToken: from }),
      ...(versions && { versions: 'true' }),
    });
    const path = `${this.bucketPath}/o?${query}`;
    return this.connection.json({ method: 'GET', path }, listed, signal);
  }

  /** A 404 may mean the object or the bucket. So the bucket is asked before an object counts as missing. */
  private async orAbsent<T>(looking: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
    try {
      return await looking;
    } catch (error) {
      if (refusalIn(error).status !== 404) throw error;
      const path = `${this.bucketPath}/o?maxResults=1&${new URLSearchParams({ prefix: this.address.prefix })}`;
      await this.connection.json({ method: 'GET', path }, listed, signal);
      return undefined;
    }
  }

  private retention(until: Date): { mode: string; retainUntilTime: string } {
    return { mode: this.address.lock === 'compliance' ? 'Locked' : 'Unlocked', retainUntilTime: until.toISOString() };
  }

  private get bucketPath(): string {
    return `/storage/v1/b/${this.address.bucket}`;
  }

  private pathOf(key: string): string {
    return `${this.bucketPath}/o/${encodeURIComponent(`${this.address.prefix}${key}`)}`;
  }
}

/** @param now the time of the answer by the store's clock */
function factsOf(key: string, { generation, size, timeCreated, retention }: Resource, now?: Date): ObjectFacts {
  return {
    key,
    bytes: size,
    tag: generation,
    putAt: timeCreated,
    ...lockIn(retention?.retainUntilTime, now),
  };
}
