/**
 * One live stream, as Server-Sent Events. Each item carries its id: a client that reconnects with `Last-Event-ID` goes on after it, and
 * nothing is lost or repeated. When what the client has seen is not there any more, the stream says so and begins anew.
 *
 * A stream asks the database only while it is behind. It hears the tail before it asks, so that nothing lies between what it has read and
 * what it hears. A client that reads slowly costs no memory: its stream waits for it, forgets what it has heard, and is behind again.
 */
import { isDeepStrictEqual } from 'node:util';
import type { LedgerIdentity } from '@strongroom/feed';
import { hasRight, type Identity } from '@strongroom/identity';
import { inOrder, isOutage, type LedgerItem, type LedgerPlace } from '@strongroom/ledger';
import { type AppConfig, clientNetworkOf, type Logger } from '@strongroom/runtime';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Reach, reaches } from '../caller.js';
import { tokenOf } from '../sessions.js';
import type { ReadsAtATime } from './reads-at-a-time.js';
import type { StreamSource } from './stream-source.js';
import type { Hearer, StreamTail } from './stream-tail.js';

export interface StreamTimings {
  /** After this time the process looks for what is new without a notice, which may be lost. */
  pollMs: number;
  /** A proxy on the way may end a connection that is silent for longer. A stream that is behind looks for itself as often. */
  heartbeatMs: number;
  /** A token that has expired, was revoked, or has lost its role, sees nothing more after this time. */
  trustMs: number;
  /** A client that takes nothing for so long is cut off. Default: a minute. */
  slowestReadMs?: number;
  /** The longest rest of the tail between two passes. Default: a second. */
  longestRestMs?: number;
}

export interface StreamParts {
  identity: Identity;
  log: Logger;
  timings: StreamTimings;
  ledgerIdentity: LedgerIdentity;
  tail: Pick<StreamTail, 'isFollowing'>;
  reads: ReadsAtATime;
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

const placeBeforeAll: LedgerPlace = { position: 0, seq: 0 };
const batchSize = 100;
/** A stream that has heard of so many items and has not told them is behind again. */
const mostHeard = 1_000;
const usualSlowestReadMs = 60_000;
const resetMessage =
  'The last event that you have seen is not in the ledger: it was lost, or is of another account. All events follow, from the first on. Forget what you know, or recognise events by their id.';

export class LiveStream implements Hearer {
  private place = placeBeforeAll;
  /** The id of the item at the place, or of the last one before it. */
  private id = fromTheStart;
  private ledgerId: string | undefined;
  /** What the tail has given and is not told yet; undefined while the stream does not hear it. */
  private heard: (readonly LedgerItem[])[] | undefined;
  private heardItems = 0;
  /** Whether something may lie between the place and what is heard. */
  private isBehind = true;
  /** When a stream that is behind asks the database next. */
  private lookAt = 0;
  private toldAt = performance.now();
  private isOver = false;
  private woken = () => {};
  private drained = () => {};
  private isNews = true;

  constructor(
    private readonly parts: StreamParts,
    private readonly asked: StreamAsked,
    private readonly source: StreamSource,
  ) {}

  wake(): void {
    this.lookAt = 0;
    this.isNews = true;
    this.woken();
  }

  take(items: readonly LedgerItem[]): void {
    if (!this.heard) return;
    this.heardItems += items.length;
    if (this.heardItems > mostHeard) this.fallBehind();
    else {
      this.heard.push(items);
      this.isNews = true;
      this.woken();
    }
  }

  fallBehind(): void {
    this.heard = undefined;
    this.isBehind = true;
    this.wake();
  }

  end(): void {
    this.isOver = true;
    this.woken();
    this.drained();
  }

  async run(): Promise<void> {
    const { request, reply } = this.asked;
    reply.hijack();
    const { raw } = reply;
    raw.on('close', () => this.end());
    raw.on('error', () => this.end());
    raw.on('drain', () => this.drained());
    // The end of the connection is that of the stream. As chunks, each piece would be four writes for each client.
    raw.removeHeader('transfer-encoding');
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
    let trustedUntil = performance.now() + trustMs;
    const start = await this.waiting(() => this.parts.reads.read(() => this.start()));
    if (!start) return;
    // A client that is cut off before the first item reconnects with this id.
    await this.write(`retry: 2000\nid: ${this.id}\n\n`);
    if (start.lost !== undefined) await this.reset(start.lost);
    while (!this.isOver) {
      if (performance.now() >= trustedUntil) {
        if (!(await this.isStillTrusted())) return;
        trustedUntil = performance.now() + trustMs;
      }
      this.isNews = false;
      if (this.isBehind ? await this.tellOfLedger() : await this.tellOfTail()) continue;
      if (performance.now() - this.toldAt >= heartbeatMs) {
        await this.write(': still here\n\n');
        this.toldAt = performance.now();
      }
      const until = Math.min(trustedUntil, this.toldAt + heartbeatMs, this.isBehind ? this.lookAt : trustedUntil);
      await this.news(until - performance.now());
    }
  }

  private async start(): Promise<{ lost?: string }> {
    const { after } = this.asked;
    this.ledgerId = await this.parts.ledgerIdentity.current();
    if (after === undefined) {
      const { id, ...place } = await this.source.newest();
      [this.place, this.id] = [place, id];
      return {};
    }
    const place = after === fromTheStart ? placeBeforeAll : await this.source.placeOf(after);
    if (place === undefined) return { lost: after };
    [this.place, this.id] = [place, after];
    return {};
  }

  /**
   * Tells what the ledger has beyond the place. While the database is away the stream waits: the connection stays, and nothing is lost.
   * @returns whether there is more to tell at once
   */
  private async tellOfLedger(): Promise<boolean> {
    if (performance.now() < this.lookAt) return false;
    this.lookAt = performance.now() + this.parts.timings.heartbeatMs;
    try {
      await this.goBackIfLost();
      if (!this.heard && this.parts.tail.isFollowing) [this.heard, this.heardItems] = [[], 0];
      const { items, end, isMore } = await this.parts.reads.read(() => this.source.next(this.place, batchSize));
      if (isMore) this.lookAt = 0;
      // What it hears begins before this read, so the two meet.
      else if (this.heard) this.isBehind = false;
      await this.tell(items);
      this.place = end;
      return isMore || !this.isBehind;
    } catch (error) {
      if (!isOutage(error)) throw error;
      this.parts.log.debug({ err: error }, 'a live stream waits for the database');
      return false;
    }
  }

  /** Tells what was heard first. @returns whether there was something */
  private async tellOfTail(): Promise<boolean> {
    const items = this.heard?.shift();
    if (!items) return false;
    this.heardItems -= items.length;
    const first = items.findIndex((item) => inOrder(item, this.place) > 0);
    if (first === -1) return true;
    await this.tell(first === 0 ? items : items.slice(first));
    return true;
  }

  private async tell(items: readonly LedgerItem[]): Promise<void> {
    const isReached = (item: LedgerItem) =>
      'event' in item ? reaches(this.asked, item.event.instanceId) : this.asked.instances === undefined;
    const reached = items.every(isReached) ? items : items.filter(isReached);
    for (const { text, id, place } of this.source.words.piecesOf(reached)) {
      await this.write(text);
      [this.place, this.id, this.toldAt] = [place, id, performance.now()];
    }
    const last = items.at(-1);
    if (last) this.place = last;
  }

  /** The ledger may have been put back to an earlier time, and may have lost the last item that was told. */
  private async goBackIfLost(): Promise<void> {
    const ledgerId = await this.parts.ledgerIdentity.current();
    if (ledgerId === this.ledgerId) return;
    const { id } = this;
    const now = id === fromTheStart ? placeBeforeAll : await this.parts.reads.read(() => this.source.placeOf(id));
    if (now === undefined) await this.reset(id);
    else this.place = now;
    this.ledgerId = ledgerId;
    this.parts.log.info({ requestId: this.asked.request.id }, 'a live stream looks again: the ledger was put back');
  }

  /** Tells the client that something is gone which it may have seen, and that everything follows from the first on. */
  private async reset(lost: string): Promise<void> {
    [this.place, this.id] = [placeBeforeAll, fromTheStart];
    const data = { last_event_id: lost.slice(0, 200), message: resetMessage };
    await this.write(`id: ${this.id}\nevent: reset\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** Tries again until an outage is over. @returns undefined when the stream ended meanwhile */
  private async waiting<T>(work: () => Promise<T>): Promise<T | undefined> {
    while (!this.isOver) {
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
    const from = clientNetworkOf(request.clientAddress);
    const principal = await this.parts.identity.authenticate(tokenOf(request), from);
    return (
      principal?.accountId === accountId &&
      hasRight(principal, this.source.right, this.parts.config.roles) &&
      isDeepStrictEqual(principal.instances, instances)
    );
  }

  /** @returns when the client has taken enough for more to be sent; undefined when it has already */
  private write(text: string | Buffer): Promise<void> | undefined {
    const { raw } = this.asked.reply;
    if (this.isOver || raw.write(text)) return undefined;
    const slowestMs = this.parts.timings.slowestReadMs ?? usualSlowestReadMs;
    return new Promise((resolve) => {
      const cutOff = setTimeout(() => {
        this.parts.log.info({ requestId: this.asked.request.id }, 'a stream is cut off: its client takes nothing');
        raw.destroy();
      }, slowestMs);
      this.drained = () => {
        clearTimeout(cutOff);
        this.drained = () => {};
        resolve();
      };
    });
  }

  private news(withinMs: number): Promise<void> {
    if (this.isNews || this.isOver) return Promise.resolve();
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
