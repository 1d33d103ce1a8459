/**
 * How backups are deleted, and kept from that. A deleted backup is out of sight at once. Its bytes stay until the delay of the
 * deployment and the minimum retention of the account are over, and so long it can be brought back.
 */
import { Inject } from '@nestjs/common';
import { type EventType, streamOf } from '@strongroom/contracts';
import { type BackupCommand, backupDecider, broughtBackWith, deletionOf } from '@strongroom/domain';
import { type BoundCommand, commandOn, executeTogether, Ledger } from '@strongroom/ledger';
import { type BackupRow, deletable } from '@strongroom/read-model';
import { type AppConfig, Clock, configToken, deletionRulesOf, Ids } from '@strongroom/runtime';
import { type Caller, mustHave, targetOf, withoutKey } from '../edge/caller.js';
import { mustNotChangeTooOften } from '../edge/changes-a-day.js';
import { unlessRefused } from '../edge/http-fault.js';
import { expectedVersion } from '../edge/preconditions.js';
import { BackupResources } from './resource.js';

/** A command on one backup of a chain. Of several, only the first takes the claim on the request's key. */
interface OnBackup {
  backupId: string;
  instanceId: string;
  command: BackupCommand;
  ifVersion?: number | undefined;
}

export class DeletionCommands {
  constructor(
    @Inject(Ledger) readonly ledger: Ledger,
    @Inject(Ids) readonly ids: Ids,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(configToken) private readonly config: AppConfig,
    @Inject(BackupResources) private readonly backups: BackupResources,
  ) {}

  /** Deletes the backup and every backup that is built on it. */
  async remove(caller: Caller, id: string, ifMatch: string | undefined): Promise<void> {
    mustHave(caller, 'backup.delete', 'Deleting a backup');
    const { accountId } = caller;
    const row = await this.backups.find(caller, id);
    const ifVersion = expectedVersion(ifMatch, row);
    const rules = deletionRulesOf(this.config.deletion, accountId);
    const chain = await this.backups.chainBelow(row);
    const asked = deletionOf(chain.map(deletable), {
      accountId,
      trigger: 'request',
      now: this.clock.now(),
      rules,
    });
    await this.execute(
      caller,
      asked.map(({ backupId, command }, index) => ({
        backupId,
        instanceId: row.instanceId,
        command,
        ifVersion: index === 0 ? ifVersion : undefined,
      })),
    );
  }

  /**
   * Brings a deleted backup back, with what it is built on and what was deleted together with any of these. Nothing happens
   * when it is there.
   */
  async restore(caller: Caller, backupId: string): Promise<void> {
    mustHave(caller, 'backup.restore-deleted', 'restore-deleted');
    const { accountId } = caller;
    await this.onChain(
      caller,
      backupId,
      (chain) => {
        const back = broughtBackWith(
          backupId,
          chain.map(({ id, parentId, mark }) => ({ id, parentId, rootId: mark?.rootId ?? null })),
        );
        // The decider says of a backup that is not deleted what there is to say.
        return (back.length > 0 ? back : [backupId]).map((id) => ({ type: 'RevertDeletion', backupId: id, accountId }));
      },
      'BackupDeletionReverted',
    );
  }

  /** Approves that the bytes go of a deleted backup and of everything that was deleted together with it. */
  async approve(caller: Caller, backupId: string): Promise<void> {
    mustHave(caller, 'backup.approve-deletion', 'approve-deletion');
    const { accountId } = caller;
    const { actor: by, actorDetails: byDetails } = caller.context;
    await this.onChain(caller, backupId, (chain) => {
      const rootId = chain.find(({ id }) => id === backupId)?.mark?.rootId;
      const together = chain.filter(({ mark }) => mark && mark.rootId === rootId).map(({ id }) => id);
      return (together.length > 0 ? together : [backupId]).map((id) => ({
        type: 'ApproveDeletion',
        backupId: id,
        accountId,
        by,
        ...(byDetails && { byDetails }),
      }));
    });
  }

  async hold(caller: Caller, backupId: string, reason: string): Promise<void> {
    mustHave(caller, 'backup.hold', 'hold');
    const { accountId } = caller;
    await this.onChain(caller, backupId, () => [{ type: 'HoldBackup', backupId, accountId, reason }], 'BackupHeld');
  }

  async liftHold(caller: Caller, backupId: string): Promise<void> {
    mustHave(caller, 'backup.hold', 'lift-hold');
    const { accountId } = caller;
    await this.onChain(caller, backupId, () => [{ type: 'LiftHold', backupId, accountId }]);
  }

  /**
   * Executes commands on backups of the chain of one, deleted or not: all of them or none.
   * @param change what they cause, where that may not be done too often. To delete and to lift a hold is never refused for that:
   *   neither goes on without the other
   */
  private async onChain(
    caller: Caller,
    id: string,
    commandsOn: (chain: readonly BackupRow[]) => Extract<BackupCommand, { accountId: string }>[],
    change?: EventType,
  ): Promise<void> {
    const row = await this.backups.findAny(caller, id);
    const what = { name: `Backup ${id}`, stream: streamOf('backup', id) };
    if (change) await mustNotChangeTooOften(this.ledger, caller, what, [change]);
    const commands = commandsOn(await this.backups.wholeChain(row));
    await this.execute(
      caller,
      commands.flatMap((command) =>
        'backupId' in command ? [{ backupId: command.backupId, instanceId: row.instanceId, command }] : [],
      ),
    );
  }

  private async execute(caller: Caller, commands: readonly OnBackup[]): Promise<void> {
    const bound = commands.map(({ backupId, instanceId, command, ifVersion }, index): BoundCommand => {
      const target = targetOf(index === 0 ? caller : withoutKey(caller), backupId, instanceId);
      return commandOn(backupDecider, { ...target, ifVersion }, command);
    });
    const [first] = commands;
    if (first) unlessRefused(first.command.type, await executeTogether(this, bound));
  }
}
