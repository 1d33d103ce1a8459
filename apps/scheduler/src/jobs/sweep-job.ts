/** The job of sweeping the home region's vault: it never ends, and one process has it at a time. */
import type { JobKind } from '@strongroom/runtime';
import { endingWith, sweepJob as jobOf } from '@strongroom/vault';
import type { SchedulerParts } from '../scheduler-parts.js';

export const sweepJob: JobKind<SchedulerParts> = {
  kind: 'sweep',
  standing: ({ homeRegion }) => [jobOf(homeRegion)],
  lanes: ({ homeRegion }) => [homeRegion],
  concurrency: () => 1,
  pollMs: () => 15_000,
  perform: ({ sweep, vault }, { lane, attempt }, { signal }) =>
    sweep.tryPass(lane, () => sweep.pass(endingWith(vault, signal), attempt, signal)),
};
