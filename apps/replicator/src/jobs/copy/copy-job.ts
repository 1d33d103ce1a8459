/** The job of one copy, in the lane of the region that it is made for: a region that is away delays its own copies alone. */
import { askedWork } from '@strongroom/domain';
import type { Hold, JobKind, LeasedJob, Performed } from '@strongroom/runtime';
import type { Traffic } from '@strongroom/vault';
import type { ReplicatorParts } from '../../replicator-parts.js';
import { CopyAttempt, type CopyAttemptParts } from './copy-attempt.js';

export const copyJob: JobKind<ReplicatorParts> = {
  kind: 'copy',
  queuedBy: askedWork.copy,
  lanes: ({ vaults }) => vaults.regions,
  concurrency: ({ config }) => config.copyConcurrency,
  quota: ({ config }) => config.quotas.copies,
  missing: ({ unfinished }, after) => unfinished.copies(after),
  most: ({ traffic }, region) => traffic.permits.mostFor(region, transfersTo(region)),
  perform: copyWithPermit,
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

/** Makes an attempt where the region has a permit for it. Otherwise nothing is begun and nothing recorded. */
export function copyWithPermit(
  parts: CopyAttemptParts & { traffic: Pick<Traffic, 'permits'> },
  job: LeasedJob,
  hold: Hold,
): Promise<Performed> {
  return parts.traffic.permits.perform(job.lane, transfersTo(job.lane), (permit) =>
    new CopyAttempt({ ...parts, permit }, job, hold).perform(),
  );
}

/** What the copies to a region are called where transfers need permits. */
function transfersTo(region: string): string {
  return `copies to ${region}`;
}
