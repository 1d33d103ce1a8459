/**
 * Live streams of an account's events, as Server-Sent Events (HTML Standard, 9.2). Each event carries its id, so that a
 * client that reconnects with `Last-Event-ID` goes on after it: no event is lost or repeated. A client that does not
 * read is waited for and costs no memory.
 */
import { once } from 'node:events';
import type { OnModuleDestroy, OnModuleInit } from '@nestjs/common';
import type { RecordedEvent } from '@strongroom/contracts';
import { type Identity, mayDo } from '@strongroom/identity';
import { isOutage, type Ledger } from '@strongroom/ledger';
import type { Logger } from '@strongroom/runtime';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { HttpFault, unavailable } from '../edge/http-fault.js';
import { eventResource } from './resource.js';

export interface EventStreamParts {
  ledger: Ledger;
  identity: Identity;
  log: Logger;
  timings?: StreamTimings;
}

export interface StreamTimings {
  /** Events are told of as they are appended; this is for a notice that got lost. */
  pollMs: number;
  /** What is silent for longer would be taken for dead on its way. */
  heartbeatMs: number;
  /** A token that was revoked, or has lost its role, gets to see no more than this. */
  trustMs: number;
}

export interface StreamAsked {
  accountId: string;
  /** The place in the ledger that the stream begins after. */
  after: number;
  request: FastifyRequest;
  reply: FastifyReply;
}

const batchSize = 100;
const usualTimings: StreamTimings = { pollMs: 2_000, heartbeatMs: 15_000, trustMs: 60_000 };
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

  constructor(private readonly parts: EventStreamParts) {}

  /** Nest calls it once for the HTTP server and once for the feed. */
  async onModuleInit(): Promise<void> {
    this.notices ??= this.parts.ledger.onAppend(() => {
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
   * Takes the reply over, and returns when the stream has begun; a HEAD is left to be answered without a body.
   * @throws {HttpFault} overLimit; serviceUnavailable once the gateway stops, for who would end it then
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
    const stream = new EventStream(this.parts, asked);
    this.running.set(stream, accountId);
    void stream.run().finally(() => this.running.delete(stream));
  }
}

class EventStream {
  private readonly over = new AbortController();
  private woken = () => {};
  private isNews = false;

  constructor(
    private readonly parts: EventStreamParts,
    private readonly asked: StreamAsked,
  ) {}

  private get timings(): StreamTimings {
    return this.parts.timings ?? usualTimings;
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
      ...headers,
      // The stream is all that the connection was for: its end must not wait for the client.
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
    const { trustMs, heartbeatMs } = this.timings;
    let heardAt = performance.now();
    let trustedUntil = performance.now() + trustMs;
    // A client that is cut off before the first event comes back with this.
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

  /** A database that is away is waited for: the connection stays, and nothing is lost. */
  private async next(after: number): Promise<RecordedEvent[]> {
    try {
      return await this.parts.ledger.followAccount(this.asked.accountId, after, batchSize);
    } catch (error) {
      if (!isOutage(error)) throw error;
      this.parts.log.debug({ err: error }, 'an event stream waits for the database');
      return [];
    }
  }

  /** Of the event at the place; `0` before the first. */
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
      const timer = setTimeout(() => this.woken(), this.timings.pollMs);
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
