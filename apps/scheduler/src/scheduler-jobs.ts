/** The kinds of jobs that the scheduler does. A new kind is a descriptor in `jobs/` and a line here. */
import type { JobKind } from '@strongroom/runtime';
import { backupJob } from './jobs/backup/backup-job.js';
import { builtServerJob } from './jobs/built-server/built-server-job.js';
import { chainEndJob } from './jobs/chain-end/chain-end-job.js';
import { deletionJob } from './jobs/deletion/deletion-job.js';
import { purgeJob } from './jobs/purge/purge-job.js';
import { retentionJob } from './jobs/retention/retention-job.js';
import { retentionReasonsJob } from './jobs/retention/retention-reasons-job.js';
import { sweepJob } from './jobs/sweep-job.js';
import type { SchedulerParts } from './scheduler-parts.js';

export const schedulerJobs: readonly JobKind<SchedulerParts>[] = [
  backupJob,
  purgeJob,
  deletionJob,
  chainEndJob,
  retentionJob,
  retentionReasonsJob,
  builtServerJob,
  sweepJob,
];
