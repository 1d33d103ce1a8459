/** The job of removing a deleted backup when its time has come, with everything that is built on it. */
import { askedWork } from '@strongroom/domain';
import type { JobKind } from '@strongroom/runtime';
import type { SchedulerParts } from '../../scheduler-parts.js';
import { PurgeAttempt } from './purge-attempt.js';

export const purgeJob: JobKind<SchedulerParts> = {
  kind: 'purge',
  queuedBy: askedWork.purge,
  concurrency: () => 2,
  missing: ({ unfinished }, after) => unfinished.purges(after),
  perform: (parts, job) => new PurgeAttempt(parts, job).perform(),
  measure({ backups, metrics }) {
    metrics.gauge({
      name: 'strongroom_deleted_backups',
      help: 'Deleted backups whose bytes are still there, of all accounts.',
      measure: async (gauge) => gauge.set(await backups.countDeleted()),
    });
  },
};
