/**
 * Live streams of an account's events, as Server-Sent Events (HTML Standard, 9.2). Each event carries its id: a client that
 * reconnects with `Last-Event-ID` goes on after it, and no event is lost or repeated. When the ledger does not have that event
 * any more, the stream says so and begins anew. A client that reads slowly costs no memory, since the stream waits for it.
 */
import { once } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import { Inject, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import type { RecordedEvent } from '@strongroom/contracts';
import { LedgerIdentity } from '@strongroom/feed';
import { hasRight, Identity } from '@strongroom/identity';
import { isOutage, Ledger } from '@strongroom/ledger';
import { type AppConfig, configToken, type Logger, loggerToken, type Quotas, quotaOf } from '@strongroom/runtime';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Reach } from '../edge/caller.js';
import { HttpFault, unavailable } from '../edge/http-fault.js';
import { uuidOf } from '../edge/parse.js';
import { NewsOfAccounts } from './news-of-accounts.js';
import { eventResource } from './resource.js';

export interface StreamTimings {
  /** The streams of an account are woken when it has events; after this time one looks for them without a notice, which may be lost. */
  pollMs: number;
  /** A proxy on the way may end a connection that is silent for longer. Each stream also looks for its events itself as often. */
  heartbeatMs: number;
  /** A token that was revoked, or has lost its role, sees no events after this time. */
  trustMs: number;
  /** A client that takes nothing for so long is cut off. Default: a minute. */
  slowestReadMs?: number;
}

/** A position in the ledger, the id of the last event that the client has seen, or the newest event. */
export type StreamStart = number | { seen: string } | 'now';

export interface StreamAsked extends Reach {
  /** The stream begins after it. */
  from: StreamStart;
  request: FastifyRequest;
  reply: FastifyReply;
}

const batchSize = 100;
export const usualTimings: StreamTimings = { pollMs: 2_000, heartbeatMs: 15_000, trustMs: 60_000 };
export const streamTimingsToken = Symbol('StreamTimings');
const usualSlowestReadMs = 60_000;
const headers = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  'x-accel-buffering': 'no',
};

/** How many streams one process serves, and how many of them an account may have. */
export interface StreamLimits {
  mostStreams: number;
  quotas: Pick<Quotas, 'streams'>;
}

export class EventStreams implements OnModuleDestroy, OnModuleInit {
  private readonly running = new Map<string, Set<EventStream>>();
  private count = 0;
  private news: NewsOfAccounts | undefined;
  private stopped = false;

  constructor(
    @Inject(Ledger) readonly ledger: Ledger,
    @Inject(Identity) readonly identity: Identity,
    @Inject(loggerToken) readonly log: Logger,
    @Inject(streamTimingsToken) readonly timings: StreamTimings,
    @Inject(LedgerIdentity) readonly ledgerIdentity: LedgerIdentity,
    @Inject(configToken) readonly config: StreamLimits & Pick<AppConfig, 'roles'>,
  ) {}

  /** Nest calls it once for the HTTP server and once for the feed. */
  async onModuleInit(): Promise<void> {
    if (this.news) return;
    const { ledger, ledgerIdentity, log, timings } = this;
    this.news = new NewsOfAccounts({
      ...{ ledger, ledgerIdentity, log, pollMs: timings.pollMs },
      isWatched: () => this.count > 0,
      wake: (accounts = new Set(this.running.keys())) => {
        for (const account of accounts) for (const stream of this.running.get(account) ?? []) stream.wake();
      },
    });
    await this.news.start();
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    for (const streams of this.running.values()) for (const stream of streams) stream.end();
    await this.news?.stop();
  }

  /**
   * Takes the reply over, and returns when the stream has begun. A HEAD is answered without a body, by the route.
   * @throws {HttpFault} overLimit; serviceUnavailable once the gateway stops, when nothing would end the stream
   */
  async open(asked: StreamAsked): Promise<void> {
    const { accountId, request, reply } = asked;
    if (this.stopped) throw unavailable('The gateway is stopping. Open the stream again.');
    if (request.method === 'HEAD') return void reply.headers(headers);
    const { mostStreams, quotas } = this.config;
    const streams = this.running.get(accountId) ?? new Set();
    const most = quotaOf(quotas.streams, accountId);
    if (most !== null && streams.size >= most) {
      throw new HttpFault('overLimit', `The account has ${most} streams open here. Close one first.`, {
        'retry-after': '60',
      });
    }
    if (this.count >= mostStreams) {
      throw unavailable('This process has as many streams open as it serves. Try again, or list the events.');
    }
    const stream = new EventStream(this, asked);
    this.count += 1;
    this.running.set(accountId, streams.add(stream));
    this.news?.look();
    void stream.run().finally(() => {
      this.count -= 1;
      streams.delete(stream);
      if (streams.size === 0) this.running.delete(accountId);
    });
  }
}

interface Place {
  position: number;
  id: string;
}

/** Before the first event of the account. */
const begin: Place = { position: 0, id: '0' };
const resetMessage =
  'The last event that you have seen is not in the ledger: it was lost, or is of another account. All events follow, from the first on. Forget what you know, or recognise events by their id.';

class EventStream {
  private place = begin;
  private ledgerId: string | undefined;
  private readonly over = new AbortController();
  private woken = () => {};
  private isNews = false;

  constructor(
    private readonly parts: Pick<EventStreams, 'ledger' | 'identity' | 'log' | 'timings' | 'ledgerIdentity' | 'config'>,
    private readonly asked: StreamAsked,
  ) {}

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
      ...headers,
      // The connection serves this stream only, and ends with it: a stop of the gateway must not wait for the client.
      connection: 'close',
      'x-request-id': request.id,
    });
    try {
      await this.follow();
    } catch (error) {
      this.parts.log.warn({ err: error, requestId: request.id }, 'event stream ended');
    } finally {
      raw.end();
    }
  }

  private async follow(): Promise<void> {
    const { trustMs, heartbeatMs } = this.parts.timings;
    let heardAt = performance.now();
    let trustedUntil = performance.now() + trustMs;
    const start = await this.waiting(() => this.start());
    if (!start) return;
    this.place = start.place;
    // A client that is cut off before the first event reconnects with this id.
    await this.write(`retry: 2000\nid: ${this.place.id}\n\n`);
    if (start.lost !== undefined) await this.reset(start.lost);
    while (!this.over.signal.aborted) {
      if (performance.now() > trustedUntil) {
        if (!(await this.isStillTrusted())) return;
        trustedUntil = performance.now() + trustMs;
      }
      this.isNews = false;
      const events = await this.next();
      for (const event of events) {
        await this.write(textOf(event));
        this.place = { position: event.position, id: event.id };
        heardAt = performance.now();
      }
      if (events.length === batchSize) continue;
      if (performance.now() - heardAt > heartbeatMs) {
        await this.write(': still here\n\n');
        heardAt = performance.now();
      }
      await this.news(heartbeatMs);
    }
  }

  private async start(): Promise<{ place: Place; lost?: string }> {
    const { ledger, ledgerIdentity } = this.parts;
    const { accountId, from } = this.asked;
    this.ledgerId = await ledgerIdentity.current();
    if (typeof from === 'number') return { place: { position: from, id: await this.idAt(from) } };
    if (from === 'now') {
      const position = await ledger.newestOf(accountId);
      return { place: { position, id: await this.idAt(position) } };
    }
    const { seen } = from;
    if (seen === begin.id) return { place: begin };
    const position = uuidOf(seen) !== undefined ? await ledger.positionOf(accountId, seen) : undefined;
    return position === undefined ? { place: begin, lost: seen } : { place: { position, id: seen } };
  }

  /** While the database is away the stream waits: the connection stays, and no event is lost. */
  private async next(): Promise<RecordedEvent[]> {
    try {
      await this.goBackIfLost();
      const { accountId, instances } = this.asked;
      const { ledger } = this.parts;
      if (instances === undefined) return await ledger.followAccount(accountId, this.place.position, batchSize);
      const newest = await ledger.newestOf(accountId);
      const events = await ledger.followAccount(accountId, this.place.position, batchSize, instances);
      // What is of other instances is looked at once.
      if (events.length === 0) this.place = { ...this.place, position: Math.max(newest, this.place.position) };
      return events;
    } catch (error) {
      if (!isOutage(error)) throw error;
      this.parts.log.debug({ err: error }, 'an event stream waits for the database');
      return [];
    }
  }

  /** The ledger may have been put back to an earlier time, and may have lost the last event that was told. */
  private async goBackIfLost(): Promise<void> {
    const { ledger, ledgerIdentity } = this.parts;
    const ledgerId = await ledgerIdentity.current();
    if (ledgerId === this.ledgerId) return;
    const { id, position } = this.place;
    const now = id === begin.id ? begin.position : await ledger.positionOf(this.asked.accountId, id);
    if (now === undefined) await this.reset(id);
    else this.place = { id, position: now };
    this.ledgerId = ledgerId;
    if (now !== position) this.parts.log.info({ requestId: this.asked.request.id }, 'an event stream has gone back');
  }

  /** Tells the client that an event is gone which it may have seen, and that all events follow from the first on. */
  private async reset(lost: string): Promise<void> {
    this.place = begin;
    const data = { last_event_id: lost.slice(0, 200), message: resetMessage };
    await this.write(`id: ${begin.id}\nevent: reset\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** Tries again until an outage is over. @returns undefined when the stream ended meanwhile */
  private async waiting<T>(work: () => Promise<T>): Promise<T | undefined> {
    while (!this.over.signal.aborted) {
      try {
        return await work();
      } catch (error) {
        if (!isOutage(error)) throw error;
        this.parts.log.debug({ err: error }, 'an event stream waits for the database');
        await this.write(': waiting\n\n');
      }
      this.isNews = false;
      await this.news(this.parts.timings.pollMs);
    }
    return undefined;
  }

  /** The id of the event at the position; `0` before the first event. */
  private async idAt(position: number): Promise<string> {
    if (position === 0) return begin.id;
    const [event] = await this.parts.ledger.followAccount(this.asked.accountId, position - 1, 1);
    return event?.position === position ? event.id : begin.id;
  }

  private async isStillTrusted(): Promise<boolean> {
    const { accountId, instances, request } = this.asked;
    const token = request.headers['x-auth-token'];
    const principal = await this.parts.identity.authenticate(typeof token === 'string' ? token : undefined);
    return (
      principal?.accountId === accountId &&
      hasRight(principal, 'event.read', this.parts.config.roles) &&
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
      const timer = setTimeout(() => this.woken(), withinMs);
      this.woken = () => {
        clearTimeout(timer);
        this.woken = () => {};
        resolve();
      };
    });
  }
}

function textOf(event: RecordedEvent): string {
  return `id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(eventResource(event))}\n\n`;
}
