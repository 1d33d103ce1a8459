import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { NewEvent } from '@strongroom/contracts';
import { copyId } from '@strongroom/domain';
import { Views } from '@strongroom/read-model';
import { eventually } from '../../../test/services/eventually.js';
import { accountId, LostMessages } from '../../../test/services/lost-messages.js';
import { replicatorModule } from './replicator.module.js';

const soon = { withinMs: 30_000 };

let lost: LostMessages;
beforeEach(async () => {
  lost = await LostMessages.create();
});
afterEach(() => lost.remove());

async function completedBackup(): Promise<string> {
  const [backupId, instanceId] = [lost.ids.next(), lost.ids.next()];
  const common = { backupId, instanceId, scheduleId: null, type: 'full' as const, parentId: null };
  const copyTo = ['IAD', 'ORD'];
  const request: NewEvent = {
    type: 'BackupRequested',
    data: {
      ...common,
      slotAt: null,
      trigger: 'request',
      name: 'by hand',
      description: null,
      copyTo,
      datastore: { type: 'postgresql', version: '18' },
    },
  };
  const completion: NewEvent = {
    type: 'BackupCompleted',
    data: {
      ...common,
      attempt: 1,
      region: 'DFW',
      location: backupId,
      sizeBytes: 1,
      rawBytes: 1,
      copyTo,
      sha256: 'a'.repeat(64),
      startedAt: new Date().toISOString(),
    },
  };
  await lost.record('backup', backupId, instanceId, request, completion);
  return backupId;
}

it('a completed backup whose message was lost is owed its copies, counted as such, and they are begun', async () => {
  const backupId = await completedBackup();
  await lost.loseAll('replicator');
  const waiting = await lost.start('replicator', replicatorModule, 600_000);
  expect(await waiting()).toContain('strongroom_copies_owed{region="IAD"} 1');
  expect(await waiting()).toContain('strongroom_unhandled_events{type="BackupCompleted"} 1');
  await lost.stop();

  await lost.start('replicator', replicatorModule);
  for (const region of ['IAD', 'ORD']) {
    await eventually(async () => {
      const told = await lost.told('copy', copyId(backupId, region));
      expect(told.slice(0, 2)).toEqual(['CopyRequested', 'CopyStarted']);
    }, soon);
  }
});

it('a copy that was asked for is begun though the message was lost', async () => {
  const backupId = await completedBackup();
  await lost.start('replicator', replicatorModule);
  await eventually(async () => expect(await lost.told('copy', copyId(backupId, 'IAD'))).not.toEqual([]), soon);
  await lost.stop();
  const later = await completedBackup();
  const id = copyId(later, 'IAD');
  const data = {
    copyId: id,
    backupId: later,
    instanceId: lost.ids.next(),
    region: 'IAD',
    sourceRegion: 'DFW',
    parentId: null,
    sizeBytes: 1,
    sha256: 'a'.repeat(64),
  };
  await lost.record('copy', id, data.instanceId, { type: 'CopyRequested', data });
  await lost.loseAll('replicator');
  await lost.start('replicator', replicatorModule);
  await eventually(async () => expect(await lost.told('copy', id)).toContain('CopyStarted'), soon);
});

it('a copy whose message was lost before handled events were recorded is planned too', async () => {
  const backupId = await completedBackup();
  await lost.loseAll('replicator');
  await lost.dataSource.query('update feed_handled_since set position = $1', [await lost.ledger.head()]);
  await new Views(lost.dataSource, lost.ledger).catchUp(accountId);
  await lost.dataSource.query(`update backup_view set updated_at = updated_at - interval '1 hour'`);
  const metrics = await lost.start('replicator', replicatorModule);
  await eventually(async () => expect(await lost.told('copy', copyId(backupId, 'ORD'))).not.toEqual([]), soon);
  await eventually(async () => expect(await metrics()).toContain('strongroom_missing_work_total{kind="plan"} 1'), soon);
});
