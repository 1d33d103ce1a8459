/** The kinds of jobs that the replicator does. A new kind is a descriptor in `jobs/` and a line here. */
import type { JobKind } from '@strongroom/runtime';
import { copyJob } from './jobs/copy/copy-job.js';
import { planJob } from './jobs/plan/plan-job.js';
import { scrubJob } from './jobs/scrub/scrub-job.js';
import { sweepJob } from './jobs/sweep-job.js';
import type { ReplicatorParts } from './replicator-parts.js';

export const replicatorJobs: readonly JobKind<ReplicatorParts>[] = [planJob, copyJob, sweepJob, scrubJob];
