/** The job of releasing what a server keeps for a backup that nothing can be built on any more. */
import { askedWork } from '@strongroom/domain';
import type { JobKind } from '@strongroom/runtime';
import type { SchedulerParts } from '../../scheduler-parts.js';
import { ChainEndAttempt } from './chain-end-attempt.js';

export const chainEndJob: JobKind<SchedulerParts> = {
  kind: 'chain-end',
  queuedBy: askedWork['chain-end'],
  concurrency: () => 4,
  perform: (parts, job, hold) => new ChainEndAttempt(parts, job, hold).perform(),
};
