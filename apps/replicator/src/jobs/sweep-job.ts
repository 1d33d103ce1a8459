/** The jobs of sweeping the vaults of the regions that are copied to: they never end, and one process has one at a time. */
import type { JobKind } from '@strongroom/runtime';
import { endingWith, sweepJob as jobOf } from '@strongroom/vault';
import type { ReplicatorParts } from '../replicator-parts.js';

export const sweepJob: JobKind<ReplicatorParts> = {
  kind: 'sweep',
  standing: ({ config }) => config.copyRegions.map(jobOf),
  lanes: ({ config }) => config.copyRegions,
  concurrency: () => 1,
  pollMs: () => 15_000,
  perform: ({ sweep, vaults }, { lane, attempt }, { signal }) =>
    sweep.tryPass(lane, () => sweep.pass(endingWith(vaults.of(lane), signal), attempt, signal)),
};
