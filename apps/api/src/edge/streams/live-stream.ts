/**
 * One live stream, as Server-Sent Events. Each item carries its id: a client that reconnects with `Last-Event-ID` goes on after it, and
 * nothing is lost or repeated. When what the client has seen is not there any more, the stream says so and begins anew. A client that
 * reads slowly costs no memory, since the stream waits for it.
 */
import { once } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import type { LedgerIdentity } from '@strongroom/feed';
import { hasRight, type Identity } from '@strongroom/identity';
import { isOutage } from '@strongroom/ledger';
import { type AppConfig, clientNetworkOf, type Logger } from '@strongroom/runtime';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Reach } from '../caller.js';
import type { StreamItem, StreamSource } from './stream-source.js';

export interface StreamTimings {
  /** The streams of an account are woken when it has events; after this time one looks for them without a notice, which may be lost. */
  pollMs: number;
  /** A proxy on the way may end a connection that is silent for longer. Each stream also looks for its events itself as often. */
  heartbeatMs: number;
  /** A token that has expired, was revoked, or has lost its role, sees nothing more after this time. */
  trustMs: number;
  /** A client that takes nothing for so long is cut off. Default: a minute. */
  slowestReadMs?: number;
}

export interface StreamParts {
  identity: Identity;
  log: Logger;
  timings: StreamTimings;
  ledgerIdentity: LedgerIdentity;
  config: Pick<AppConfig, 'roles'>;
}

export interface StreamAsked extends Reach {
  /** The stream begins after the item with this id, or at the start with `0`. Default: with what is new from now on. */
  after?: string | undefined;
  request: FastifyRequest;
  reply: FastifyReply;
}

/** Whether the client wants the list as a live stream. */
export function wantsStream({ headers }: Pick<FastifyRequest, 'headers'>): boolean {
  return /\btext\/event-stream\b/i.test(headers.accept ?? '');
}

/** The id of the place before the first item. */
export const fromTheStart = '0';
export const streamHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  'x-accel-buffering': 'no',
};

const batchSize = 100;
const usualSlowestReadMs = 60_000;
const resetMessage =
  'The last event that you have seen is not in the ledger: it was lost, or is of another account. All events follow, from the first on. Forget what you know, or recognise events by their id.';

export class LiveStream<Place> {
  private place: Place;
  /** The id of the item at the place, or of the last one before it. */
  private id = fromTheStart;
  private ledgerId: string | undefined;
  private readonly over = new AbortController();
  private woken = () => {};
  private isNews = true;

  constructor(
    private readonly parts: StreamParts,
    private readonly asked: StreamAsked,
    private readonly source: StreamSource<Place>,
  ) {
    this.place = source.first;
  }

  wake(): void {
    this.isNews = true;
    this.woken();
  }

  end(): void {
    this.over.abort();
    this.woken();
  }

  async run(): Promise<void> {
    const { request, reply } = this.asked;
    reply.hijack();
    const { raw } = reply;
    raw.on('close', () => this.end());
    raw.on('error', () => this.end());
    raw.writeHead(200, {
      ...streamHeaders,
      // The connection serves this stream only, and ends with it: a stop of the gateway must not wait for the client.
      connection: 'close',
      'x-request-id': request.id,
    });
    try {
      await this.follow();
    } catch (error) {
      this.parts.log.warn({ err: error, requestId: request.id }, 'live stream ended');
    } finally {
      raw.end();
    }
  }

  private async follow(): Promise<void> {
    const { trustMs, heartbeatMs } = this.parts.timings;
    const lookEachMs = Math.min(this.source.pollMs ?? heartbeatMs, heartbeatMs);
    let [heardAt, trustedUntil] = [performance.now(), performance.now() + trustMs];
    const start = await this.waiting(() => this.start());
    if (!start) return;
    // A client that is cut off before the first item reconnects with this id.
    await this.write(`retry: 2000\nid: ${this.id}\n\n`);
    if (start.lost !== undefined) await this.reset(start.lost);
    for (let lookAt = 0; !this.over.signal.aborted; ) {
      if (performance.now() >= trustedUntil) {
        if (!(await this.isStillTrusted())) return;
        trustedUntil = performance.now() + trustMs;
      }
      if (this.isNews || performance.now() >= lookAt) {
        this.isNews = false;
        const { items, isMore } = await this.next();
        for (const item of items) {
          await this.write(textOf(item));
          [this.place, this.id] = [item.place, item.id];
          heardAt = performance.now();
        }
        if (isMore) {
          this.isNews = true;
          continue;
        }
        lookAt = performance.now() + lookEachMs;
      }
      if (performance.now() - heardAt >= heartbeatMs) {
        await this.write(': still here\n\n');
        heardAt = performance.now();
      }
      await this.news(Math.min(lookAt, trustedUntil, heardAt + heartbeatMs) - performance.now());
    }
  }

  private async start(): Promise<{ lost?: string }> {
    const { after } = this.asked;
    this.ledgerId = await this.parts.ledgerIdentity.current();
    if (after === undefined) {
      ({ place: this.place, id: this.id } = await this.source.newest());
      return {};
    }
    const place = after === fromTheStart ? this.source.first : await this.source.placeOf(after);
    if (place === undefined) return { lost: after };
    [this.place, this.id] = [place, after];
    return {};
  }

  /** While the database is away the stream waits: the connection stays, and nothing is lost. */
  private async next(): Promise<{ items: StreamItem<Place>[]; isMore: boolean }> {
    try {
      await this.goBackIfLost();
      const { items, place, isMore } = await this.source.next(this.place, batchSize);
      // What is not told, such as what is of other instances, is looked at once.
      if (items.length === 0) this.place = place;
      return { items, isMore };
    } catch (error) {
      if (!isOutage(error)) throw error;
      this.parts.log.debug({ err: error }, 'a live stream waits for the database');
      return { items: [], isMore: false };
    }
  }

  /** The ledger may have been put back to an earlier time, and may have lost the last item that was told. */
  private async goBackIfLost(): Promise<void> {
    const ledgerId = await this.parts.ledgerIdentity.current();
    if (ledgerId === this.ledgerId) return;
    const now = this.id === fromTheStart ? this.source.first : await this.source.placeOf(this.id);
    if (now === undefined) await this.reset(this.id);
    else this.place = now;
    this.ledgerId = ledgerId;
    this.parts.log.info({ requestId: this.asked.request.id }, 'a live stream looks again: the ledger was put back');
  }

  /** Tells the client that something is gone which it may have seen, and that everything follows from the first on. */
  private async reset(lost: string): Promise<void> {
    [this.place, this.id] = [this.source.first, fromTheStart];
    const data = { last_event_id: lost.slice(0, 200), message: resetMessage };
    await this.write(`id: ${this.id}\nevent: reset\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** Tries again until an outage is over. @returns undefined when the stream ended meanwhile */
  private async waiting<T>(work: () => Promise<T>): Promise<T | undefined> {
    while (!this.over.signal.aborted) {
      try {
        return await work();
      } catch (error) {
        if (!isOutage(error)) throw error;
        this.parts.log.debug({ err: error }, 'a live stream waits for the database');
        await this.write(': waiting\n\n');
      }
      this.isNews = false;
      await this.news(this.parts.timings.pollMs);
    }
    return undefined;
  }

  private async isStillTrusted(): Promise<boolean> {
    const { accountId, instances, request } = this.asked;
    const token = request.headers['x-auth-token'];
    const from = clientNetworkOf(request.clientAddress);
    const principal = await this.parts.identity.authenticate(typeof token === 'string' ? token : undefined, from);
    return (
      principal?.accountId === accountId &&
      hasRight(principal, this.source.right, this.parts.config.roles) &&
      isDeepStrictEqual(principal.instances, instances)
    );
  }

  private async write(text: string): Promise<void> {
    const { raw } = this.asked.reply;
    if (this.over.signal.aborted || raw.write(text)) return;
    const slowestMs = this.parts.timings.slowestReadMs ?? usualSlowestReadMs;
    const cutOff = setTimeout(() => {
      this.parts.log.info({ requestId: this.asked.request.id }, 'a stream is cut off: its client takes nothing');
      raw.destroy();
    }, slowestMs);
    await once(raw, 'drain', { signal: this.over.signal }).catch(() => {});
    clearTimeout(cutOff);
  }

  private news(withinMs: number): Promise<void> {
    if (this.isNews || this.over.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.woken(), Math.max(0, withinMs));
      this.woken = () => {
        clearTimeout(timer);
        this.woken = () => {};
        resolve();
      };
    });
  }
}

function textOf({ id, type, data }: StreamItem<unknown>): string {
  return `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}
