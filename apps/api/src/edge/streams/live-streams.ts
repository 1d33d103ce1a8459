/**
 * The live streams of a process: how many it serves, of each account and of all, and when they are woken. They are Server-Sent Events
 * (HTML Standard, 9.2), whatever they tell of.
 */
import { Inject, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { LedgerIdentity } from '@strongroom/feed';
import { Identity } from '@strongroom/identity';
import { Ledger } from '@strongroom/ledger';
import { type AppConfig, configToken, type Logger, loggerToken, type Quotas, quotaOf } from '@strongroom/runtime';
import { HttpFault, unavailable } from '../http-fault.js';
import { queryValue, unknownMarker } from '../paging.js';
import { fromTheStart, LiveStream, type StreamAsked, type StreamTimings, streamHeaders } from './live-stream.js';
import { ReadsAtATime } from './reads-at-a-time.js';
import type { StreamSource } from './stream-source.js';
import { StreamTail } from './stream-tail.js';

export const usualTimings: StreamTimings = { pollMs: 2_000, heartbeatMs: 15_000, trustMs: 5_000 };
export const streamTimingsToken = Symbol('StreamTimings');

/** How many streams ask the database at a time. The pool has connections for requests besides. */
const mostReadsAtATime = 4;

/** How many streams one process serves, and how many of them an account may have. */
export interface StreamLimits {
  mostStreams: number;
  quotas: Pick<Quotas, 'streams'>;
}

export class LiveStreams implements OnModuleDestroy, OnModuleInit {
  readonly tail: StreamTail;
  readonly reads = new ReadsAtATime(mostReadsAtATime);
  private readonly running = new Map<string, Set<LiveStream>>();
  private count = 0;
  private started = false;
  private stopped = false;

  constructor(
    @Inject(Ledger) readonly ledger: Ledger,
    @Inject(Identity) readonly identity: Identity,
    @Inject(loggerToken) readonly log: Logger,
    @Inject(streamTimingsToken) readonly timings: StreamTimings,
    @Inject(LedgerIdentity) readonly ledgerIdentity: LedgerIdentity,
    @Inject(configToken) readonly config: StreamLimits & Pick<AppConfig, 'roles'>,
  ) {
    const { pollMs, longestRestMs } = timings;
    this.tail = new StreamTail({ ledger, ledgerIdentity, log, pollMs, longestRestMs, hearers: this.running });
  }

  /** Nest calls it once for the HTTP server and once for the feed. */
  async onModuleInit(): Promise<void> {
    if (this.started) return;
    this.started = true;
    await this.tail.start();
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    for (const streams of this.running.values()) for (const stream of streams) stream.end();
    if (this.started) await this.tail.stop();
  }

  /**
   * Opens a stream where its client wants it to begin: after the last item that it has seen, after the marker, where the source says, or now.
   * Only a marker is refused when it is unknown: a client that reconnects by itself would be given up by a refusal.
   * @throws {HttpFault} badRequest, and as `open`
   */
  async openWhereAsked(asked: Omit<StreamAsked, 'after'>, source: StreamSource): Promise<void> {
    const seen = asked.request.headers['last-event-id'];
    const marker = queryValue(asked.request, 'marker');
    if (source.begins && (seen ?? marker ?? fromTheStart) === fromTheStart)
      return this.open({ ...asked, after: await source.begins() }, source);
    if (typeof seen === 'string') return this.open({ ...asked, after: seen }, source);
    const isKnown = marker === undefined || marker === fromTheStart || (await source.placeOf(marker)) !== undefined;
    if (!isKnown) throw unknownMarker(marker);
    this.open({ ...asked, after: marker }, source);
  }

  /**
   * Takes the reply over, and returns when the stream has begun. A HEAD is answered without a body, by the route.
   * @throws {HttpFault} overLimit; serviceUnavailable once the gateway stops, when nothing would end the stream
   */
  open(asked: StreamAsked, source: StreamSource): void {
    const { accountId, request, reply } = asked;
    if (this.stopped) throw unavailable('The gateway is stopping. Open the stream again.');
    if (request.method === 'HEAD') return void reply.headers(streamHeaders);
    const { mostStreams, quotas } = this.config;
    const streams = this.running.get(accountId) ?? new Set();
    const most = quotaOf(quotas.streams, accountId);
    if (most !== null && streams.size >= most) {
      throw new HttpFault('overLimit', `The account has ${most} streams open here. Close one first.`, {
        'retry-after': '60',
      });
    }
    if (this.count >= mostStreams) {
      throw unavailable(
        'This process has as many streams open as it serves. Try again, or list what you want to know.',
      );
    }
    const stream = new LiveStream(this, asked, source);
    this.count += 1;
    this.running.set(accountId, streams.add(stream));
    this.tail.look();
    void stream.run().finally(() => {
      this.count -= 1;
      streams.delete(stream);
      if (streams.size === 0) this.running.delete(accountId);
    });
  }
}
