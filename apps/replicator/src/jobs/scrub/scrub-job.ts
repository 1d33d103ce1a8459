/** The jobs of reading the vaults again: one for each region, which never ends, so one process reads a vault at a time. */
import type { JobKind } from '@strongroom/runtime';
import { v5 } from 'uuid';
import type { ReplicatorParts } from '../../replicator-parts.js';

const scrubs = '6f2f8a34-0a3c-5d0c-9b8e-0d5f3f1d7a61';

export const scrubJob: JobKind<ReplicatorParts> = {
  kind: 'scrub',
  standing: ({ vaults }) =>
    vaults.regions.map((region) => ({ kind: 'scrub', id: v5(region, scrubs), lane: region, accountId: '' })),
  lanes: ({ vaults }) => vaults.regions,
  concurrency: () => 1,
  pollMs: () => 15_000,
  perform: ({ scrub }, { lane }, hold) => scrub.pass(lane, hold),
};
