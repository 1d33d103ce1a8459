import { expect, it } from '@jest/globals';
import type { RecordedEvent } from '@strongroom/contracts';
import { auditOfEvent } from '../audit/resource.js';
import { eventResource } from './resource.js';

const [id, other] = ['6f1c2b0a-0000-4000-8000-000000000001', '6f1c2b0a-0000-4000-8000-000000000002'];
/** As older versions named a process: by its host and its pid. */
const [scheduler, replicator] = ['scheduler-db7.internal.example-4711', 'replicator-db7.internal.example-4712'];
const recorded = {
  id,
  position: 1,
  version: 1,
  at: '2026-11-14T14:31:00.000Z',
  accountId: 'acme',
  instanceId: id,
};
const contextOf = (actor: string) => ({ requestId: 'r', correlationId: 'r', causationId: null, actor });
const events: RecordedEvent[] = [
  {
    ...recorded,
    stream: `backup-${id}`,
    context: contextOf(scheduler),
    type: 'BackupStarted',
    data: { backupId: id, attempt: 1, region: 'DFW', runner: scheduler },
  },
  {
    ...recorded,
    stream: `copy-${other}`,
    context: contextOf(replicator),
    type: 'CopyStarted',
    data: { copyId: other, backupId: id, region: 'IAD', attempt: 1, replicator },
  },
  {
    ...recorded,
    stream: `backup-${id}`,
    context: contextOf(scheduler),
    type: 'BackupDeleted',
    data: { backupId: id, instanceId: id, scheduleId: null },
  },
];

it.each(events)('the host and the pid of a process of an older version are not shown: $type', (event) => {
  const shown = JSON.stringify([eventResource(event), auditOfEvent(event)]);
  expect(shown).not.toMatch(/db7|internal|471/);
  expect(shown).toMatch(/"actor":"(scheduler|replicator)"/);
});
