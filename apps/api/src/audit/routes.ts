/** The routes of the account's audit: a list, and a live stream for a client that accepts one. */
import { Controller, Inject } from '@nestjs/common';
import { type AuditResource, getAudit } from '@strongroom/contracts';
import { AuditTrail, type LedgerPlace } from '@strongroom/ledger';
import type { Asked } from '../edge/asked.js';
import { mustReachAll } from '../edge/caller.js';
import { Paging } from '../edge/paging.js';
import { Handles } from '../edge/routing.js';
import { wantsStream } from '../edge/streams/live-stream.js';
import { LiveStreams } from '../edge/streams/live-streams.js';
import { auditSource, beforeAll } from './audit-source.js';
import { auditOf } from './resource.js';

@Controller()
export class AuditRoutes {
  constructor(
    @Inject(AuditTrail) private readonly trail: AuditTrail,
    @Inject(LiveStreams) private readonly streams: LiveStreams,
    @Inject(Paging) private readonly paging: Paging,
  ) {}

  @Handles(getAudit)
  async audit({ caller, request, reply }: Asked) {
    mustReachAll(caller, 'The audit');
    const { accountId } = caller;
    if (wantsStream(request)) {
      return this.streams.openWhereAsked({ accountId, request, reply }, auditSource(this.trail, accountId));
    }
    return this.paging.answer(request, 'audit', async ({ limit, marker }) => {
      const after = marker === undefined ? beforeAll : await this.trail.placeOf(accountId, marker);
      return after && this.page(accountId, after, limit);
    });
  }

  /** A page without items would have no link to the next one, so what can't be shown is passed over. */
  private async page(
    accountId: string,
    after: LedgerPlace,
    limit: number,
  ): Promise<{ items: AuditResource[]; more: boolean }> {
    for (let from = after; ; ) {
      const { items, end, isMore } = await this.trail.follow(accountId, from, limit);
      if (items.length > 0 || !isMore) return { items: items.flatMap(auditOf), more: isMore };
      from = end;
    }
  }
}
