/**
 * One attempt at a deletion: a backup and everything made from it go from every vault, the newest first, so that no
 * backup ever stands without what it was built on. What can't be removed within a few seconds ends DELETE_FAILED.
 */
import { type EventContext, isRefusal, streamOf } from '@strongroom/contracts';
import { type BackupCommand, backupDecider, copyDecider, copyId, fold } from '@strongroom/domain';
import { commandOn, execute, executeTogether, isOutage, type Ledger } from '@strongroom/ledger';
import { type BackupRow, Backups, Copies, type Views } from '@strongroom/read-model';
import type { Hold, Ids, LeasedJob, Logger, Performed } from '@strongroom/runtime';
import { VaultFault, type Vaults } from '@strongroom/vault';
import type { DataSource } from 'typeorm';

export interface DeletionAttemptParts {
  dataSource: DataSource;
  ledger: Ledger;
  views: Views;
  ids: Ids;
  log: Logger;
  vaults: Vaults;
  homeRegion: string;
  /** Who does it: the process. */
  actor: string;
}

const mostTries = 3;
const retryMs = 1_000;
const waitMs = 2_000;

export class DeletionAttempt {
  private readonly backups: Backups;
  private readonly copies: Copies;

  constructor(
    private readonly parts: DeletionAttemptParts,
    private readonly job: LeasedJob,
    private readonly hold: Hold,
  ) {
    this.backups = new Backups(parts.dataSource);
    this.copies = new Copies(parts.dataSource);
  }

  /** Ends with everything gone, or the deletion failed, or due again. */
  async perform(): Promise<Performed> {
    const { parts, job } = this;
    const history = await parts.ledger.readStream(streamOf('backup', job.id));
    const asked = history.findLast(({ type }) => type === 'BackupDeletionRequested');
    if (fold(backupDecider, history).is !== 'deleting' || !asked) return 'finished';
    const context: EventContext = { ...asked.context, causationId: asked.id, actor: parts.actor };
    const log = parts.log.child({ backup: job.id, attempt: job.attempt, ...asked.context });

    await parts.views.catchUp(job.accountId);
    const chain = await this.backups.chainBelow(job.accountId, job.id);
    const late = chain.filter(({ status }) => status !== 'DELETING');
    if (late.length > 0 && !(await this.join(late, context))) {
      log.info('deletion waits for the end of a backup that is built on this one');
      return { retryInMs: waitMs };
    }
    try {
      for (const row of chain.reverse()) {
        this.hold.signal.throwIfAborted();
        await this.remove(row, context);
      }
      log.info({ backups: chain.length }, 'backup deleted');
    } catch (error) {
      if (this.hold.signal.aborted || isOutage(error)) throw error;
      const { code, message, retryable } = faultOf(error);
      if (retryable && job.failures + 1 < mostTries) {
        log.warn({ err: error }, `deletion failed: ${message} Tried again`);
        return { retryInMs: retryMs, hasFailed: true };
      }
      log.error({ err: error }, `deletion failed: ${message}`);
      const reason = `The backup could not be deleted: ${message} Delete it again when that is mended.`;
      await this.onEach(chain, context, ({ id }) => ({ type: 'FailDeletion', backupId: id, code, reason }));
    }
    return 'finished';
  }

  /** What was built on the backup while its deletion was asked for goes with it. False while one of them runs. */
  private async join(late: BackupRow[], context: EventContext): Promise<boolean> {
    const { accountId } = this.job;
    return this.onEach(late, context, ({ id }) => ({
      type: 'RequestDeletion',
      backupId: id,
      accountId,
      trigger: 'cascade',
    }));
  }

  /** The copies' ends come first: from then on no copying that is under way can put anything back. */
  private async remove({ id, instanceId, region }: BackupRow, context: EventContext): Promise<void> {
    const { ledger, ids, vaults, homeRegion } = this.parts;
    const { accountId } = this.job;
    const backup = fold(backupDecider, await ledger.readStream(streamOf('backup', id)));
    const attempts = new Map([[region ?? homeRegion, 'attempt' in backup ? backup.attempt : 0]]);
    for (const each of await this.regionsOf(id)) {
      const target = { id: copyId(id, each), accountId, instanceId, context };
      await execute({ ledger, ids }, copyDecider, target, { type: 'DeleteCopy' });
      const copy = fold(copyDecider, await ledger.readStream(streamOf('copy', target.id)));
      // None begins after the copy's end, so that this is the newest there will be.
      if (copy.is !== 'absent') attempts.set(each, Math.max(copy.attempt, attempts.get(each) ?? 0));
    }
    for (const [each, attempt] of attempts) await vaults.of(each).purge(id, attempt);
    const target = { id, accountId, instanceId, context };
    await execute({ ledger, ids }, backupDecider, target, { type: 'ConfirmDeletion', backupId: id });
  }

  /** Every region that ever was asked for a copy, be it that an earlier attempt has seen to it: its vault is looked at again. */
  private async regionsOf(backupId: string): Promise<string[]> {
    const { dataSource, ledger, vaults } = this.parts;
    const shown = (await this.copies.ofBackups([backupId])).get(backupId) ?? [];
    const regions = [...new Set([...vaults.regions, ...shown.map(({ region }) => region)])];
    const streamIn = (region: string) => streamOf('copy', copyId(backupId, region));
    const known = await ledger.readStreams(dataSource.manager, regions.map(streamIn));
    return regions.filter((region) => known.has(streamIn(region)));
  }

  private async onEach(
    rows: BackupRow[],
    context: EventContext,
    command: (row: BackupRow) => BackupCommand,
  ): Promise<boolean> {
    const { ledger, ids } = this.parts;
    const { accountId } = this.job;
    const commands = rows.map((row) =>
      commandOn(backupDecider, { id: row.id, accountId, instanceId: row.instanceId, context }, command(row)),
    );
    return !isRefusal(await executeTogether({ ledger, ids }, commands));
  }
}

function faultOf(error: unknown): { code: string; message: string; retryable: boolean } {
  if (error instanceof VaultFault) return error;
  const message = `it broke off unexpectedly: ${error instanceof Error ? error.message : String(error)}.`;
  return { code: 'unexpected', message, retryable: true };
}
