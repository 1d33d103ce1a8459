/** The job of a requested backup. */
import { askedWork } from '@strongroom/domain';
import type { JobKind } from '@strongroom/runtime';
import type { SchedulerParts } from '../../scheduler-parts.js';
import { BackupAttempt } from './backup-attempt.js';

/** What backups are called where transfers need permits. */
const transfers = 'backups';

export const backupJob: JobKind<SchedulerParts> = {
  kind: 'backup',
  queuedBy: askedWork.backup,
  concurrency: ({ config }) => config.backupConcurrency,
  quota: ({ config }) => config.quotas.backups,
  // A server that sends slowly holds its place for long. Some place is always left for other accounts.
  share: ({ config }) => Math.max(1, config.backupConcurrency - 1),
  missing: ({ unfinished }, after) => unfinished.backups(after),
  most: ({ traffic, homeRegion }) => traffic.permits.mostFor(homeRegion, transfers),
  perform: (parts, job, hold) =>
    parts.traffic.permits.perform(parts.homeRegion, transfers, () => new BackupAttempt(parts, job, hold).perform()),
  measure({ jobs, metrics, home, homeRegion: region }, inHand) {
    metrics.gauge({
      name: 'strongroom_region_away',
      help: 'Whether this process begins no backups, because the vault of their home region can not be reached: 1 or 0.',
      labels: ['region'],
      measure: (gauge) => gauge.set({ region }, home.now() ? 1 : 0),
    });
    metrics.gauge({
      name: 'strongroom_backups_running',
      help: 'Backups that this process is running.',
      measure: (gauge) => gauge.set(inHand('')),
    });
    metrics.gauge({
      name: 'strongroom_backups_waiting',
      help: 'Requested backups that no runner has leased.',
      measure: async (gauge) => gauge.set((await jobs.load('backup')).reduce((sum, { waiting }) => sum + waiting, 0)),
    });
  },
};
