/** The routes of the account's events: a list, and a live stream for a client that accepts one. */
import { Controller, Inject } from '@nestjs/common';
import { getEvents } from '@strongroom/contracts';
import { Ledger } from '@strongroom/ledger';
import type { Asked } from '../edge/asked.js';
import { instantAsked } from '../edge/instant-asked.js';
import { Paging, unknownMarker } from '../edge/paging.js';
import { uuidOf } from '../edge/parse.js';
import { Handles } from '../edge/routing.js';
import { wantsStream } from '../edge/streams/live-stream.js';
import { LiveStreams } from '../edge/streams/live-streams.js';
import { eventsOf, placeSince } from './event-source.js';
import { eventResource } from './resource.js';

@Controller()
export class EventRoutes {
  constructor(
    @Inject(Ledger) private readonly ledger: Ledger,
    @Inject(LiveStreams) private readonly streams: LiveStreams,
    @Inject(Paging) private readonly paging: Paging,
  ) {}

  @Handles(getEvents)
  async events({ caller, request, reply }: Asked) {
    const { accountId, instances } = caller;
    const since = instantAsked(request, 'since');
    if (wantsStream(request)) {
      return this.streams.openWhereAsked(
        { accountId, instances, request, reply },
        eventsOf(this.ledger, caller, since),
      );
    }
    return this.paging.answer(request, 'events', async ({ limit, marker }) => {
      const after =
        marker === undefined ? await this.startOf(accountId, since) : await this.positionOf(accountId, marker);
      const events = await this.ledger.followAccount(accountId, after, limit + 1, instances);
      return { items: events.slice(0, limit).map(eventResource), more: events.length > limit };
    });
  }

  private async startOf(accountId: string, since: Date | undefined): Promise<number> {
    const place = since && (await placeSince(this.ledger, accountId, since));
    return place?.position ?? 0;
  }

  /** @throws {HttpFault} badRequest */
  private async positionOf(accountId: string, marker: string): Promise<number> {
    const id = uuidOf(marker);
    const position = id === undefined ? undefined : await this.ledger.positionOf(accountId, id);
    if (position === undefined) throw unknownMarker(marker);
    return position;
  }
}
