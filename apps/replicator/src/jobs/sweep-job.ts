/** The jobs of sweeping the vaults of the regions that are copied to: they never end, and one process has one at a time. */
import type { JobKind } from '@strongroom/runtime';
import { sweepJob as jobOf } from '@strongroom/vault';
import type { ReplicatorParts } from '../replicator-parts.js';

export const sweepJob: JobKind<ReplicatorParts> = {
  kind: 'sweep',
  standing: ({ config }) => config.copyRegions.map(jobOf),
  lanes: ({ config }) => config.copyRegions,
  concurrency: () => 1,
  pollMs: () => 15_000,
  perform: ({ stalls, sweep, vaults }, { lane, attempt }, { signal: ends }) =>
    sweep.tryPass(lane, () =>
      stalls.over(lane, ends, (signal, moved) => sweep.pass(vaults.of(lane), attempt, signal, moved)),
    ),
};
