/**
 * Takes up deletions that were stranded because a region had no vault. A deletion is asked for again once every region of the
 * backup, and of what is built on it, has a vault again. As long as one vault is missing, nothing is tried.
 */
import { type EventContext, isRefusal, messageOf, type RecordedEvent, streamOf } from '@strongroom/contracts';
import { backupDecider } from '@strongroom/domain';
import { commandOn, executeTogether, isOutage } from '@strongroom/ledger';
import { type BackupRow, Backups, type Views } from '@strongroom/read-model';
import type { Ids, Logger, SetAside } from '@strongroom/runtime';
import { BackupRegions, type BackupRegionsParts } from '../jobs/deletion/backup-regions.js';

export interface StrandedDeletionsParts extends BackupRegionsParts {
  views: Views;
  ids: Ids;
  log: Logger;
  setAside: SetAside;
}

const actor = 'strongroom-scheduler';
const batchSize = 100;

export class StrandedDeletions {
  private readonly backups: Backups;
  private readonly regions: BackupRegions;
  private roundAt: string | undefined;

  constructor(private readonly parts: StrandedDeletionsParts) {
    this.backups = new Backups(parts.dataSource);
    this.regions = new BackupRegions(parts);
  }

  /** Takes up a few at a time, in order of id; the next call goes on from there, and begins anew at the end. */
  async takeUpStranded(): Promise<void> {
    const found = await this.backups.leftBehind(this.roundAt, batchSize);
    this.roundAt = found.length < batchSize ? undefined : found.at(-1)?.id;
    const failed = new Map<string, string>();
    for (const { id, accountId } of found) {
      try {
        await this.takeUp(accountId, id);
      } catch (error) {
        // One that can't be read or recorded holds up no other.
        if (isOutage(error)) throw error;
        failed.set(id, `its deletion can't be taken up: ${messageOf(error)}`);
      }
    }
    const aside = found.flatMap(({ id, accountId }) => ({ id, accountId, reason: failed.get(id) ?? '' }));
    await this.parts.setAside.put(
      'backup',
      aside.filter(({ id }) => failed.has(id)),
    );
    await this.parts.setAside.takeBack(
      'backup',
      found.map(({ id }) => id).filter((id) => !failed.has(id)),
    );
  }

  private async takeUp(accountId: string, backupId: string): Promise<void> {
    const { ledger, ids, views, log, vaults } = this.parts;
    await views.catchUp(accountId);
    const chain = await this.backups.chainBelow(accountId, backupId);
    const history = await ledger.readStream(streamOf('backup', backupId));
    const last = history.findLast(isAsked);
    if (!last || chain[0]?.status !== 'DELETE_FAILED') return;
    for (const row of chain) {
      if (!(await this.everyRegionOf(row)).every((region) => vaults.regions.includes(region))) return;
    }
    const context: EventContext = { ...last.context, causationId: last.id, actor };
    const trigger = last.data.trigger === 'cascade' ? 'request' : last.data.trigger;
    const outcome = await executeTogether(
      { ledger, ids },
      chain.map(({ id, instanceId }) =>
        commandOn(
          backupDecider,
          { id, accountId, instanceId, context },
          { type: 'RequestDeletion', backupId: id, accountId, trigger: id === backupId ? trigger : 'cascade' },
        ),
      ),
    );
    if (isRefusal(outcome)) log.info({ backup: backupId }, `deletion not taken up now: ${outcome.message}`);
    else log.info({ backup: backupId }, 'deletion taken up: every region has a vault again');
  }

  /** It leaves out regions where a copy was asked for and never begun, because nothing is left there. */
  private async everyRegionOf(row: BackupRow): Promise<string[]> {
    const begun = [...(await this.regions.askedForCopies(row))].filter(([, attempt]) => attempt > 0);
    return [...(await this.regions.attempted(row)).keys(), ...begun.map(([region]) => region)];
  }
}

function isAsked(event: RecordedEvent): event is RecordedEvent<'BackupDeletionRequested'> {
  return event.type === 'BackupDeletionRequested';
}
