/** The account's events: a list, and a live stream. */
import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import { Ledger } from '@strongroom/ledger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CalledBy, type Caller } from '../edge/caller.js';
import { Paging, queryValue, unknownMarker } from '../edge/paging.js';
import { uuidOf } from '../edge/parse.js';
import { EventStreams } from './event-streams.js';
import { eventResource } from './resource.js';

@Controller('v1.0/:accountId/events')
export class EventsController {
  constructor(
    @Inject(Ledger) private readonly ledger: Ledger,
    @Inject(EventStreams) private readonly streams: EventStreams,
    @Inject(Paging) private readonly paging: Paging,
  ) {}

  @Get()
  async events(
    @CalledBy() { accountId }: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    if (/\btext\/event-stream\b/i.test(request.headers.accept ?? '')) {
      await this.streams.open({ accountId, after: await this.placeInStream(accountId, request), request, reply });
      return undefined;
    }
    const { limit, marker } = this.paging.asked(request, 'events');
    const after = marker === undefined ? 0 : await this.positionOf(accountId, marker);
    const events = await this.ledger.followAccount(accountId, after, limit + 1);
    const shown = events.slice(0, limit).map(eventResource);
    return {
      events: shown,
      links: this.paging.links(request, { more: events.length > limit, last: shown.at(-1)?.id }),
    };
  }

  /** After the last event seen, after the marker, or from now on. */
  private placeInStream(accountId: string, request: FastifyRequest): Promise<number> | number {
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
