import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { streamOf } from '@strongroom/contracts';
import { copyId, copyRequest } from '@strongroom/domain';
import { Jobs } from '@strongroom/runtime';
import { eventually } from '../../../test/services/eventually.js';
import { LostMessages } from '../../../test/services/lost-messages.js';
import { addEvent } from '../../../test/services/unreadable-event.js';
import { replicatorModule } from './replicator.module.js';

const soon = { withinMs: 30_000 };

let world: LostMessages;
beforeEach(async () => {
  world = await LostMessages.create();
});
afterEach(() => world.remove());

const datastore = { type: 'postgresql', version: '18' } as const;

async function completedBackup(copyTo: string[]) {
  const [backupId, instanceId] = [world.ids.next(), world.ids.next()];
  const common = { backupId, instanceId, scheduleId: null, type: 'full' as const, parentId: null, copyTo };
  const made = {
    ...common,
    ...{ attempt: 1, region: 'DFW', location: backupId, sizeBytes: 1, rawBytes: 1, sha256: 'a'.repeat(64) },
    startedAt: new Date().toISOString(),
  };
  const asked = { slotAt: null, trigger: 'request' as const, name: 'by hand', description: null, datastore };
  await world.record(
    'backup',
    backupId,
    instanceId,
    { type: 'BackupRequested', data: { ...common, ...asked } },
    { type: 'BackupCompleted', data: made },
  );
  return made;
}

it.each([
  { kind: 'plan', unread: 'backup' },
  { kind: 'copy', unread: 'copy' },
  { kind: 'copy', unread: 'backup' },
] as const)(
  'a job of kind $kind is left to a newer version when this one cannot read the $unread',
  async ({ kind, unread }) => {
    const made = await completedBackup(kind === 'plan' ? ['IAD'] : []);
    const { backupId, instanceId } = made;
    const copy = copyId(backupId, 'IAD');
    if (kind === 'copy') {
      await world.record('copy', copy, instanceId, { type: 'CopyRequested', data: copyRequest(made, 'IAD') });
    }
    await addEvent(world.dataSource, streamOf(unread, unread === 'copy' ? copy : backupId), { type: 'Admired' });
    const [id, lane] = kind === 'copy' ? [copy, 'IAD'] : [backupId, ''];
    await new Jobs(world.dataSource).add(world.dataSource.manager, [{ kind, id, lane, accountId: 'acme' }]);
    await world.start('replicator', replicatorModule, 600_000);
    await eventually(
      async () =>
        expect(
          await world.dataSource.query(
            'select lease_owner, failures, passed_by is not null as passed from job where kind = $1 and id = $2',
            [kind, id],
          ),
        ).toEqual([{ lease_owner: null, failures: 0, passed: true }]),
      soon,
    );
    await world.stop();
    const [leased] = await new Jobs(world.dataSource, 'a newer version').lease(kind, lane, 'newer', 1, 30_000);
    expect(leased).toMatchObject({ id, attempt: 2, failures: 0 });
    if (unread === 'backup' && kind === 'copy') expect(await world.told('copy', copy)).toEqual(['CopyRequested']);
  },
);
