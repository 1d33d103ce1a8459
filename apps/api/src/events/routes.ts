/** The routes of the account's events: a list, and a live stream for a client that accepts one. */
import { Controller, Inject, Req, Res } from '@nestjs/common';
import { getEvents } from '@strongroom/contracts';
import { Ledger } from '@strongroom/ledger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CalledBy, type Caller } from '../edge/caller.js';
import { Paging, queryValue, unknownMarker } from '../edge/paging.js';
import { uuidOf } from '../edge/parse.js';
import { Handles } from '../edge/routing.js';
import { EventStreams } from './event-streams.js';
import { eventResource } from './resource.js';

@Controller()
export class EventRoutes {
  constructor(
    @Inject(Ledger) private readonly ledger: Ledger,
    @Inject(EventStreams) private readonly streams: EventStreams,
    @Inject(Paging) private readonly paging: Paging,
  ) {}

  @Handles(getEvents)
  async events(
    @CalledBy() { accountId }: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    if (/\btext\/event-stream\b/i.test(request.headers.accept ?? '')) {
      await this.streams.open({ accountId, after: await this.streamStart(accountId, request), request, reply });
      return undefined;
    }
    return this.paging.answer(request, 'events', async ({ limit, marker }) => {
      const after = marker === undefined ? 0 : await this.positionOf(accountId, marker);
      const events = await this.ledger.followAccount(accountId, after, limit + 1);
      return { items: events.slice(0, limit).map(eventResource), more: events.length > limit };
    });
  }

  /** The position after which the stream begins: of the last event that the client has seen, of the marker, or of the newest event. */
  private streamStart(accountId: string, request: FastifyRequest): Promise<number> | number {
    const seen = request.headers['last-event-id'];
    const from = (typeof seen === 'string' ? seen : undefined) ?? queryValue(request, 'marker');
    if (from === '0') return 0;
    return from === undefined ? this.ledger.newestOf(accountId) : this.positionOf(accountId, from);
  }

  /** @throws {HttpFault} badRequest */
  private async positionOf(accountId: string, marker: string): Promise<number> {
    const id = uuidOf(marker);
    const position = id === undefined ? undefined : await this.ledger.positionOf(accountId, id);
    if (position === undefined) throw unknownMarker(marker);
    return position;
  }
}
