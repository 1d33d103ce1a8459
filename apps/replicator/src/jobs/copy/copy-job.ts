/** The job of one copy, in the lane of the region that it is made for: a region that is away delays its own copies alone. */
import { askedWork } from '@strongroom/domain';
import type { JobKind } from '@strongroom/runtime';
import type { ReplicatorParts } from '../../replicator-parts.js';
import { CopyAttempt } from './copy-attempt.js';

export const copyJob: JobKind<ReplicatorParts> = {
  kind: 'copy',
  queuedBy: askedWork.copy,
  lanes: ({ vaults }) => vaults.regions,
  concurrency: ({ config }) => config.copyConcurrency,
  quota: ({ config }) => config.quotas.copies,
  missing: ({ unfinished }, after) => unfinished.copies(after),
  perform: (parts, job, hold) => new CopyAttempt(parts, job, hold).perform(),
  measure({ metrics, vaults }, inHand) {
    metrics.gauge({
      name: 'strongroom_copies_running',
      help: 'Copies that this process is making, by region.',
      labels: ['region'],
      measure: (gauge) => {
        for (const region of vaults.regions) gauge.set({ region }, inHand(region));
      },
    });
  },
};
