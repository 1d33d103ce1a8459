/** The job of planning the copies of a completed backup. */
import { askedWork } from '@strongroom/domain';
import type { JobKind } from '@strongroom/runtime';
import type { ReplicatorParts } from '../../replicator-parts.js';
import { planBackup } from './copy-planning.js';
import { measureOwed } from './owed-copies.js';

export const planJob: JobKind<ReplicatorParts> = {
  kind: 'plan',
  queuedBy: askedWork.plan,
  concurrency: () => 4,
  missing: ({ unfinished }, after) => unfinished.plans(after),
  async perform(parts, { id: backupId }) {
    await planBackup(parts, backupId);
    return 'finished';
  },
  measure: (parts) => measureOwed(parts),
};
