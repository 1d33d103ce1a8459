/**
 * Copies owed to regions that the deployment has no vault of any more: each is told and given up, for nobody can make it
 * and nothing is to wait for it; and it is asked for again as soon as its region has a vault.
 */
import { type EventContext, streamOf, whyRetired } from '@strongroom/contracts';
import { type CopyCommand, type CopyState, copyDecider, fold } from '@strongroom/domain';
import { execute, type Ledger } from '@strongroom/ledger';
import type { Copies, CopyOfRegion, Views } from '@strongroom/read-model';
import type { Ids, Logger } from '@strongroom/runtime';

export interface StrandedCopiesParts {
  ledger: Ledger;
  views: Views;
  copies: Copies;
  ids: Ids;
  log: Logger;
  /** The regions with a vault. */
  served: readonly string[];
}

const actor = 'strongroom-replicator';
const batchSize = 100;

export class StrandedCopies {
  constructor(private readonly parts: StrandedCopiesParts) {}

  /** A few at a time: the rest is found by the next look. */
  async look(): Promise<void> {
    const { copies, served, log } = this.parts;
    const unservable = await copies.unservable(served, batchSize);
    await this.each(unservable, ({ region }) => ({ type: 'StrandCopy', reason: whyRetired(region) }));
    for (const { id, region } of unservable) log.error({ copy: id, region }, `copy not made: ${whyRetired(region)}`);
    const again = await copies.servableAgain(served, batchSize);
    await this.each(again, (_, state) => state.is === 'failed' && { type: 'RequestCopy', request: state.request });
    for (const { id, region } of again) log.info({ copy: id, region }, 'copy asked for again: its region has a vault');
  }

  private async each(
    found: readonly CopyOfRegion[],
    commandOn: (copy: CopyOfRegion, state: CopyState) => CopyCommand | false,
  ): Promise<void> {
    const { ledger, ids, views } = this.parts;
    for (const copy of found) {
      const history = await ledger.readStream(streamOf('copy', copy.id));
      const last = history.at(-1);
      const command = commandOn(copy, fold(copyDecider, history));
      if (!last || !command) continue;
      const context: EventContext = { ...last.context, causationId: last.id, actor };
      const { accountId, instanceId } = last;
      await execute({ ledger, ids }, copyDecider, { id: copy.id, accountId, instanceId, context }, command);
    }
    for (const accountId of new Set(found.map((copy) => copy.accountId))) await views.catchUp(accountId);
  }
}
