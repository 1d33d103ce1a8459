/** The routes of the account's events: a list, and a live stream for a client that accepts one. */
import { Controller, Inject, Req, Res } from '@nestjs/common';
import { getEvents } from '@strongroom/contracts';
import { Ledger } from '@strongroom/ledger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CalledBy, type Caller } from '../edge/caller.js';
import { Paging, queryValue, unknownMarker } from '../edge/paging.js';
import { uuidOf } from '../edge/parse.js';
import { Handles } from '../edge/routing.js';
import { EventStreams, type StreamStart } from './event-streams.js';
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
    @CalledBy() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { accountId, instances } = caller;
    if (/\btext\/event-stream\b/i.test(request.headers.accept ?? '')) {
      await this.streams.open({
        accountId,
        instances,
        from: await this.streamStart(accountId, request),
        request,
        reply,
      });
      return undefined;
    }
    return this.paging.answer(request, 'events', async ({ limit, marker }) => {
      const after = marker === undefined ? 0 : await this.positionOf(accountId, marker);
      const events = await this.ledger.followAccount(accountId, after, limit + 1, instances);
      return { items: events.slice(0, limit).map(eventResource), more: events.length > limit };
    });
  }

  /**
   * Where the stream begins: after the last event that the client has seen, after the marker, or now. Only a marker is refused
   * when it is unknown: a client that reconnects by itself would be given up by a refusal.
   */
  private async streamStart(accountId: string, request: FastifyRequest): Promise<StreamStart> {
    const seen = request.headers['last-event-id'];
    if (typeof seen === 'string') return { seen };
    const marker = queryValue(request, 'marker');
    if (marker === undefined) return 'now';
    return marker === '0' ? 0 : this.positionOf(accountId, marker);
  }

  /** @throws {HttpFault} badRequest */
  private async positionOf(accountId: string, marker: string): Promise<number> {
    const id = uuidOf(marker);
    const position = id === undefined ? undefined : await this.ledger.positionOf(accountId, id);
    if (position === undefined) throw unknownMarker(marker);
    return position;
  }
}
