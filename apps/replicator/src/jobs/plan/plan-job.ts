/** The job of planning the copies of a completed backup. */
import { type RecordedEvent, streamOf } from '@strongroom/contracts';
import { askedWork, backupDecider, fold } from '@strongroom/domain';
import type { JobKind } from '@strongroom/runtime';
import type { ReplicatorParts } from '../../replicator-parts.js';
import { planCopies } from './copy-planning.js';
import { measureOwed } from './owed-copies.js';

export const planJob: JobKind<ReplicatorParts> = {
  kind: 'plan',
  queuedBy: askedWork.plan,
  concurrency: () => 4,
  missing: ({ unfinished }, after) => unfinished.plans(after),
  async perform(parts, { id: backupId }) {
    const history = await parts.ledger.readStream(streamOf('backup', backupId));
    const completed = history.findLast(isCompletion);
    // What is being deleted is owed to no region any more.
    if (completed && fold(backupDecider, history).is === 'completed') await planCopies(parts, completed);
    return 'finished';
  },
  measure: (parts) => measureOwed(parts),
};

function isCompletion(event: RecordedEvent): event is RecordedEvent<'BackupCompleted'> {
  return event.type === 'BackupCompleted';
}
