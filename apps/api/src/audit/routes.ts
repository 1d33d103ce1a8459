/** The route of the account's audit. */
import { Controller, Inject, Req } from '@nestjs/common';
import { getAudit } from '@strongroom/contracts';
import { type AuditPlace, AuditTrail } from '@strongroom/ledger';
import type { FastifyRequest } from 'fastify';
import { CalledBy, type Caller, mustReachAll } from '../edge/caller.js';
import { Paging } from '../edge/paging.js';
import { Handles } from '../edge/routing.js';
import { auditOf } from './resource.js';

const start: AuditPlace = { position: 0, seq: 0 };

@Controller()
export class AuditRoutes {
  constructor(
    @Inject(AuditTrail) private readonly trail: AuditTrail,
    @Inject(Paging) private readonly paging: Paging,
  ) {}

  @Handles(getAudit)
  list(@CalledBy() caller: Caller, @Req() request: FastifyRequest) {
    mustReachAll(caller, 'The audit');
    const { accountId } = caller;
    return this.paging.answer(request, 'audit', async ({ limit, marker }) => {
      const after = marker === undefined ? start : await this.trail.placeOf(accountId, marker);
      if (!after) return undefined;
      const items = await this.trail.follow(accountId, after, limit + 1);
      return { items: items.slice(0, limit).flatMap(auditOf), more: items.length > limit };
    });
  }
}
