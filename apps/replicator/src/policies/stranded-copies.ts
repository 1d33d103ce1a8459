/**
 * Gives up copies that are owed to a region without a vault: nobody can make them, and nothing is to wait for them. Such a copy is
 * asked for again as soon as its region has a vault.
 */
import { causedBy, messageOf, streamOf, whyRetired } from '@strongroom/contracts';
import { type CopyCommand, type CopyState, copyDecider, fold } from '@strongroom/domain';
import { execute, isOutageForAll, type Ledger } from '@strongroom/ledger';
import type { Copies, CopyOfRegion, Views } from '@strongroom/read-model';
import type { Ids, Jobs, Logger, SetAside } from '@strongroom/runtime';
import type { Vaults } from '@strongroom/vault';

export interface StrandedCopiesParts {
  ledger: Ledger;
  views: Views;
  copies: Copies;
  jobs: Jobs;
  ids: Ids;
  log: Logger;
  setAside: SetAside;
  vaults: Pick<Vaults, 'regions'>;
}

const actor = 'strongroom-replicator';
const batchSize = 100;
/** This is far more than the copies of a region that are held at a time. */
const mostLookedAt = 1_000;

export class StrandedCopies {
  constructor(private readonly parts: StrandedCopiesParts) {}

  /** Gives up what no vault can take and asks again for what a vault can take again: a few at a time. */
  async followRegions(): Promise<void> {
    const { copies, vaults, log } = this.parts;
    const unservable = await this.unservable();
    await this.each(unservable, ({ region }) => ({ type: 'StrandCopy', reason: whyRetired(region) }));
    for (const { id, region } of unservable) log.error({ copy: id, region }, `copy not made: ${whyRetired(region)}`);
    const again = await copies.servableAgain(vaults.regions, batchSize);
    await this.each(again, (_, state) => state.is === 'failed' && { type: 'RequestCopy', request: state.request });
    for (const { id, region } of again) log.info({ copy: id, region }, 'copy asked for again: its region has a vault');
  }

  /** Only copies that nobody holds are changed, so no process that has a vault of the region works on them. */
  private async unservable(): Promise<CopyOfRegion[]> {
    const { copies, jobs, vaults } = this.parts;
    const found = await copies.unservable(vaults.regions, mostLookedAt);
    const held = await jobs.heldOf(
      'copy',
      found.map(({ id }) => id),
    );
    return found.filter(({ id }) => !held.has(id)).slice(0, batchSize);
  }

  private async each(
    found: readonly CopyOfRegion[],
    commandOn: (copy: CopyOfRegion, state: CopyState) => CopyCommand | false,
  ): Promise<void> {
    const { views, setAside, log } = this.parts;
    const done: string[] = [];
    for (const copy of found) {
      try {
        await this.one(copy, commandOn);
        done.push(copy.id);
      } catch (error) {
        // One that can't be read or recorded holds up no other.
        if (isOutageForAll(error)) throw error;
        const reason = `it can't be given up or asked for again: ${messageOf(error)}`;
        await setAside.put('copy', [{ id: copy.id, accountId: copy.accountId, reason }]);
      }
    }
    await setAside.takeBack('copy', done);
    await views.catchUpEach(
      found.map((copy) => copy.accountId),
      log,
    );
  }

  private async one(
    copy: CopyOfRegion,
    commandOn: (copy: CopyOfRegion, state: CopyState) => CopyCommand | false,
  ): Promise<void> {
    const { ledger, ids } = this.parts;
    const history = await ledger.readStream(streamOf('copy', copy.id));
    const last = history.at(-1);
    const command = commandOn(copy, fold(copyDecider, history));
    if (!last || !command) return;
    const context = causedBy(last, actor);
    const { accountId, instanceId } = last;
    await execute({ ledger, ids }, copyDecider, { id: copy.id, accountId, instanceId, context }, command);
  }
}
