/**
 * Restores that somebody has tested: how that is told. Strongroom has not seen the restore. So each test is a statement of the
 * caller, and is shown with the name of the caller.
 */
import { Inject } from '@nestjs/common';
import { type RestoreTestedRequest, streamOf } from '@strongroom/contracts';
import { type BackupCommand, backupDecider, copyDecider, copyId } from '@strongroom/domain';
import { execute, Ledger, stateOf } from '@strongroom/ledger';
import { Ids } from '@strongroom/runtime';
import { type Caller, mustHave, targetOf } from '../edge/caller.js';
import { mustNotChangeTooOften } from '../edge/changes-a-day.js';
import { unlessRefused } from '../edge/http-fault.js';
import { BackupResources } from './resource.js';

export class RestoreTesting {
  constructor(
    @Inject(Ledger) readonly ledger: Ledger,
    @Inject(Ids) readonly ids: Ids,
    @Inject(BackupResources) private readonly backups: BackupResources,
  ) {}

  async tell(caller: Caller, backupId: string, told: RestoreTestedRequest): Promise<void> {
    mustHave(caller, 'backup.restore-test', 'restore-tested');
    const { instanceId } = await this.backups.find(caller, backupId);
    const what = { name: `Backup ${backupId}`, stream: streamOf('backup', backupId) };
    await mustNotChangeTooOften(this.ledger, caller, what, ['RestoreTested', 'RestoreTestFailed']);
    const { region, seconds } = told;
    const command: BackupCommand = {
      type: 'TellRestoreTest',
      accountId: caller.accountId,
      backupId,
      region,
      copy: await stateOf(this.ledger, copyDecider, copyId(backupId, region)),
      seconds,
      result: resultOf(told),
    };
    const outcome = await execute(this, backupDecider, targetOf(caller, backupId, instanceId), command);
    unlessRefused(command.type, outcome);
  }
}

/** The schema takes what has either of the two. */
function resultOf({ proof, fault }: RestoreTestedRequest) {
  if (proof !== undefined) return { proof };
  if (fault !== undefined) return { code: fault.code, reason: fault.message };
  throw new TypeError('a tested restore has a proof or a fault');
}
