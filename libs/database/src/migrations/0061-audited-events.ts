/** Finds the audited events of an account, however many others it has. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class AuditedEvents1700000000061 implements MigrationInterface {
  transaction = false;

  async up(run: QueryRunner): Promise<void> {
    await run.query(`create index concurrently if not exists ledger_event_audited on ledger_event (account_id, position)
      where type in ('InstanceRegistered', 'InstanceBuildRequested', 'InstanceChanged', 'InstanceForgotten', 'LineageAccepted',
        'ScheduleUpdated', 'ScheduleDeleted', 'BackupDeletionMarked', 'BackupDeletionReverted', 'BackupDeletionApproved',
        'BackupDeletionRequested', 'BackupDeleted', 'BackupHeld', 'BackupHoldLifted', 'CopyDeletionRequested')`);
  }

  down = noWayBack;
}
