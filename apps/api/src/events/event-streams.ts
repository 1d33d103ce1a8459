/**
 * Live streams of an account's events, as Server-Sent Events (HTML Standard, 9.2). Each event carries its id: a client that
 * reconnects with `Last-Event-ID` goes on after it, and no event is lost or repeated. A client that reads slowly costs no
 * memory, since the stream waits for it.
 */
import { once } from 'node:events';
import { Inject, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import type { RecordedEvent } from '@strongroom/contracts';
import { Identity, mayDo } from '@strongroom/identity';
import { isOutage, Ledger } from '@strongroom/ledger';
import { type Logger, loggerToken } from '@strongroom/runtime';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { HttpFault, unavailable } from '../edge/http-fault.js';
import { eventResource } from './resource.js';

export interface StreamTimings {
  /** A stream is woken when events are appended; after this time it looks without a notice, which may be lost. */
  pollMs: number;
  /** A proxy on the way may end a connection that is silent for longer. */
  heartbeatMs: number;
  /** A token that was revoked, or has lost its role, sees no events after this time. */
  trustMs: number;
}

export interface StreamAsked {
  accountId: string;
  /** The position in the ledger after which the stream begins. */
  after: number;
  request: FastifyRequest;
  reply: FastifyReply;
}

const batchSize = 100;
export const usualTimings: StreamTimings = { pollMs: 2_000, heartbeatMs: 15_000, trustMs: 60_000 };
export const streamTimingsToken = Symbol('StreamTimings');
const mostOfAccount = 20;
const headers = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  'x-accel-buffering': 'no',
};

export class EventStreams implements OnModuleDestroy, OnModuleInit {
  private readonly running = new Map<EventStream, string>();
  private notices: Promise<() => Promise<void>> | undefined;
  private stopped = false;

  constructor(
    @Inject(Ledger) readonly ledger: Ledger,
    @Inject(Identity) readonly identity: Identity,
    @Inject(loggerToken) readonly log: Logger,
    @Inject(streamTimingsToken) readonly timings: StreamTimings,
  ) {}

  /** Nest calls it once for the HTTP server and once for the feed. */
  async onModuleInit(): Promise<void> {
    this.notices ??= this.ledger.onAppend(() => {
      for (const stream of this.running.keys()) stream.wake();
    });
    await this.notices;
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    for (const stream of this.running.keys()) stream.end();
    const stop = await this.notices;
    await stop?.();
  }

  /**
   * Takes the reply over, and returns when the stream has begun. A HEAD is answered without a body, by the route.
   * @throws {HttpFault} overLimit; serviceUnavailable once the gateway stops, when nothing would end the stream
   */
  async open(asked: StreamAsked): Promise<void> {
    const { accountId, request, reply } = asked;
    if (this.stopped) throw unavailable('The gateway is stopping. Open the stream again.');
    if (request.method === 'HEAD') return void reply.headers(headers);
    const others = [...this.running.values()].filter((account) => account === accountId).length;
    if (others >= mostOfAccount) {
      throw new HttpFault('overLimit', `The account has ${mostOfAccount} streams open here. Close one first.`, {
        'retry-after': '60',
      });
    }
    const stream = new EventStream(this, asked);
    this.running.set(stream, accountId);
    void stream.run().finally(() => this.running.delete(stream));
  }
}

class EventStream {
  private readonly over = new AbortController();
  private woken = () => {};
  private isNews = false;

  constructor(
    private readonly parts: Pick<EventStreams, 'ledger' | 'identity' | 'log' | 'timings'>,
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
    let { after } = this.asked;
    const { trustMs, heartbeatMs } = this.parts.timings;
    let heardAt = performance.now();
    let trustedUntil = performance.now() + trustMs;
    // A client that is cut off before the first event reconnects with this id.
    await this.write(`retry: 2000\nid: ${await this.idAt(after)}\n\n`);
    while (!this.over.signal.aborted) {
      if (performance.now() > trustedUntil) {
        if (!(await this.isStillTrusted())) return;
        trustedUntil = performance.now() + trustMs;
      }
      this.isNews = false;
      const events = await this.next(after);
      for (const event of events) {
        await this.write(textOf(event));
        after = event.position;
        heardAt = performance.now();
      }
      if (events.length === batchSize) continue;
      if (performance.now() - heardAt > heartbeatMs) {
        await this.write(': still here\n\n');
        heardAt = performance.now();
      }
      await this.news();
    }
  }

  /** While the database is away the stream waits: the connection stays, and no event is lost. */
  private async next(after: number): Promise<RecordedEvent[]> {
    try {
      return await this.parts.ledger.followAccount(this.asked.accountId, after, batchSize);
    } catch (error) {
      if (!isOutage(error)) throw error;
      this.parts.log.debug({ err: error }, 'an event stream waits for the database');
      return [];
    }
  }

  /** The id of the event at the position; `0` before the first event. */
  private async idAt(position: number): Promise<string> {
    if (position === 0) return '0';
    const [event] = await this.parts.ledger.followAccount(this.asked.accountId, position - 1, 1);
    return event?.position === position ? event.id : '0';
  }

  private async isStillTrusted(): Promise<boolean> {
    const { accountId, request } = this.asked;
    const token = request.headers['x-auth-token'];
    const principal = await this.parts.identity.authenticate(typeof token === 'string' ? token : undefined);
    return principal?.accountId === accountId && mayDo(principal, request.method);
  }

  private async write(text: string): Promise<void> {
    const { raw } = this.asked.reply;
    if (this.over.signal.aborted || raw.write(text)) return;
    await once(raw, 'drain', { signal: this.over.signal }).catch(() => {});
  }

  private news(): Promise<void> {
    if (this.isNews || this.over.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.woken(), this.parts.timings.pollMs);
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
