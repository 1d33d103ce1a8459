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
  measure({ metrics, vaults, away }, inHand) {
    metrics.gauge({
      name: 'strongroom_region_away',
      help: 'Whether this process begins no copies to a region, because its vault can not be reached or is full: 1 or 0.',
      labels: ['region'],
      measure: (gauge) => {
        for (const region of vaults.regions) gauge.set({ region }, away.faultOf(region) ? 1 : 0);
      },
    });
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
