/** Decisions that depend on their arguments alone: no clock, no randomness, no framework, no database. */
export * from './asked-work.js';
export * from './backup.js';
export * from './backup-name.js';
export * from './backup-retries.js';
export type { BackupIdentity, BackupState, CompletedBackup, Delay, MadeFull, PutOff } from './backup-state.js';
export { whatItDoes, whySkipped } from './backup-words.js';
export { ApartFault, isCopyId, isCopyOf, mustBelong } from './belonging.js';
export * from './chains.js';
export * from './completed-backup.js';
export * from './completions.js';
export * from './copy.js';
export * from './copy-request.js';
export * from './decider.js';
export * from './deletion-delay.js';
export {
  type ExplainedEvent,
  everyReason,
  explainedEvent,
  explainedOfSchedules,
} from './explanation/explained-event.js';
export { type Explained, summaryOf } from './explanation/summary.js';
export * from './held-backup.js';
export * from './identities.js';
export * from './instance.js';
export * from './instance-state.js';
export * from './lately.js';
export * from './preview/coming-runs.js';
export * from './preview/copies-to-come.js';
export * from './preview/projection.js';
export * from './preview/spans-after.js';
export * from './preview/told-fate.js';
export * from './put-off.js';
export * from './regions.js';
export * from './retention.js';
export * from './schedule.js';
export * from './schedule-retention.js';
export { whyOverQuota, whyPaused, whyTaken } from './skipped-slots.js';
export * from './slots.js';
export * from './webhook.js';
