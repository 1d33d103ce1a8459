/**
 * Takes up deletions that have failed for a reason that passes: a region had no vault, or its vault was away, full or hung, or
 * kept the backup, or something that is built on the backup had not ended. A deletion is asked for again once every region of the backup, and of what
 * is built on it, has a vault that can be reached.
 */
import { causedBy, isRefusal, messageOf, type RecordedEvent, regionRetired, streamOf } from '@strongroom/contracts';
import { backupDecider } from '@strongroom/domain';
import { commandOn, executeTogether, isOutageForAll } from '@strongroom/ledger';
import { type BackupRow, Backups, type Views } from '@strongroom/read-model';
import type { Clock, Ids, Logger, SetAside } from '@strongroom/runtime';
import { VaultFault } from '@strongroom/vault';
import { BackupRegions, type BackupRegionsParts } from '../jobs/deletion/backup-regions.js';
import { stillRunning } from '../jobs/deletion/deletion-attempt.js';

export interface StrandedDeletionsParts extends BackupRegionsParts {
  views: Views;
  ids: Ids;
  clock: Clock;
  log: Logger;
  setAside: SetAside;
}

type Failed = Awaited<ReturnType<Backups['failedDeletions']>>[number];

const actor = 'strongroom-scheduler';
const batchSize = 100;
/** What passes by itself. Everything else somebody has to mend, and then to delete the backup again. */
const passing = [regionRetired, stillRunning, 'vault-unavailable', 'vault-full', 'object-locked', 'unexpected'];
/** The pause before a deletion is taken up. It doubles with each time that it has failed. */
const firstPauseMs = 15_000;
const longestPauseMs = 21_600_000;
const mostLocks = 10_000;

export class StrandedDeletions {
  private readonly backups: Backups;
  private readonly regions: BackupRegions;
  private roundAt: string | undefined;
  /** Until when a vault keeps a backup, as it has told. It is asked again after that. */
  private readonly locks = new Map<string, Date>();

  constructor(private readonly parts: StrandedDeletionsParts) {
    this.backups = new Backups(parts.dataSource);
    this.regions = new BackupRegions(parts);
  }

  /** Takes up a few at a time, in order of id; the next call goes on from there, and begins anew at the end. */
  async takeUpStranded(): Promise<void> {
    const found = await this.backups.failedDeletions(passing, this.roundAt, batchSize);
    this.roundAt = found.length < batchSize ? undefined : found.at(-1)?.id;
    const reached = new Map<string, Promise<boolean>>();
    const failed = new Map<string, string>();
    for (const each of found) {
      try {
        await this.takeUp(each, reached);
      } catch (error) {
        // One that can't be read or recorded holds up no other.
        if (isOutageForAll(error)) throw error;
        failed.set(each.id, `its deletion can't be taken up: ${messageOf(error)}`);
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

  private async takeUp(failed: Failed, reached: Map<string, Promise<boolean>>): Promise<void> {
    const { accountId, id: backupId } = failed;
    const { ledger, ids, views, log } = this.parts;
    await views.catchUp(accountId);
    const chain = await this.backups.chainBelow(accountId, backupId);
    const history = await ledger.readStream(streamOf('backup', backupId));
    const last = history.findLast(isAsked);
    if (!last || chain[0]?.status !== 'DELETE_FAILED' || isTooEarly(failed, history)) return;
    if (failed.code === 'object-locked' && (await this.isLocked(backupId, chain))) return;
    // Nobody has tried the regions of a backup whose deletion waits for another one. The next attempt tells how they are.
    if (failed.code !== stillRunning && !(await this.canReachAllOf(chain, reached))) return;
    const context = causedBy(last, actor);
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
    if (isRefusal(outcome)) log.debug({ backup: backupId }, `deletion not taken up now: ${outcome.message}`);
    else log.info({ backup: backupId }, 'deletion taken up: the vault of every region can be reached');
  }

  /** @param reached what is known already in this pass */
  private async canReachAllOf(chain: readonly BackupRow[], reached: Map<string, Promise<boolean>>): Promise<boolean> {
    for (const row of chain) {
      for (const region of await this.everyRegionOf(row)) {
        const isReached = reached.get(region) ?? this.canReach(region);
        reached.set(region, isReached);
        if (!(await isReached)) return false;
      }
    }
    return true;
  }

  /** No attempt is made before the vaults say that the lock of each backup is over. */
  private async isLocked(backupId: string, chain: readonly BackupRow[]): Promise<boolean> {
    const known = this.locks.get(backupId);
    if (known && known > this.parts.clock.now()) return true;
    this.locks.delete(backupId);
    for (const row of chain) {
      for (const region of await this.everyRegionOf(row)) {
        const until = await this.keptUntil(region, row.id);
        if (!until) continue;
        // Each deletion that waits has a place here. What does not fit is asked for each time.
        if (this.locks.size < mostLocks) this.locks.set(backupId, until);
        return true;
      }
    }
    return false;
  }

  /** A vault that can't be reached, or has nothing of the backup, is found out about when the deletion is tried. */
  private async keptUntil(region: string, backupId: string): Promise<Date | undefined> {
    const { vaults } = this.parts;
    if (!vaults.regions.includes(region)) return undefined;
    try {
      return await vaults.of(region).keptUntil(backupId);
    } catch (error) {
      if (error instanceof VaultFault) return undefined;
      throw error;
    }
  }

  private async canReach(region: string): Promise<boolean> {
    try {
      await this.parts.vaults.of(region).probe();
      return true;
    } catch (error) {
      if (error instanceof VaultFault) return false;
      throw error;
    }
  }

  /** It leaves out regions where a copy was asked for and never begun, because nothing is left there. */
  private async everyRegionOf(row: BackupRow): Promise<string[]> {
    const begun = [...(await this.regions.askedForCopies(row))].filter(([, attempt]) => attempt > 0);
    return [...(await this.regions.attempted(row)).keys(), ...begun.map(([region]) => region)];
  }
}

/** A vault that can be reached may still fail: then the deletion is tried ever more seldom, for each failure is recorded. */
function isTooEarly({ code, failedMs }: Failed, history: readonly RecordedEvent[]): boolean {
  if (code === regionRetired || code === stillRunning) return false;
  const failures = history.filter(({ type }) => type === 'BackupDeletionFailed').length;
  return failedMs < Math.min(firstPauseMs * 2 ** Math.max(failures - 1, 0), longestPauseMs);
}

function isAsked(event: RecordedEvent): event is RecordedEvent<'BackupDeletionRequested'> {
  return event.type === 'BackupDeletionRequested';
}
