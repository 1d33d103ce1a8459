/** The job of deleting a backup, and everything that is built on it, from every vault. */
import { askedWork } from '@strongroom/domain';
import type { JobKind } from '@strongroom/runtime';
import type { SchedulerParts } from '../../scheduler-parts.js';
import { DeletionAttempt } from './deletion-attempt.js';

export const deletionJob: JobKind<SchedulerParts> = {
  kind: 'deletion',
  queuedBy: askedWork.deletion,
  concurrency: () => 2,
  missing: ({ unfinished }, after) => unfinished.deletions(after),
  perform: (parts, job, hold) => new DeletionAttempt(parts, job, hold).perform(),
  measure({ backups, metrics, vaults }) {
    metrics.gauge({
      name: 'strongroom_deletions_stranded',
      help: 'Deleted backups of which a region without a vault may still have something, by region.',
      labels: ['region'],
      measure: async (gauge) => {
        const found = await backups.leftBehindIn(vaults.regions);
        gauge.reset();
        for (const each of found) gauge.set({ region: each.region }, each.backups);
      },
    });
  },
};
