/**
 * Finds the audited events of an account, with those of its webhooks. Older processes beside this one look by the index that was there
 * before, so that stays for now.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class AuditedWebhooks1700000000135 implements MigrationInterface {
  transaction = false;

  async up(run: QueryRunner): Promise<void> {
    await run.query(`create index concurrently if not exists ledger_event_audited_with_webhooks on ledger_event (account_id, position)
      where type in ('InstanceRegistered', 'InstanceBuildRequested', 'InstanceChanged', 'InstanceForgotten', 'LineageAccepted',
        'ScheduleUpdated', 'ScheduleDeleted', 'BackupDeletionMarked', 'BackupDeletionReverted', 'BackupDeletionApproved',
        'BackupDeletionRequested', 'BackupDeleted', 'BackupHeld', 'BackupHoldLifted', 'CopyDeletionRequested',
        'WebhookCreated', 'WebhookUpdated', 'WebhookSecretRotated', 'WebhookDeleted')`);
  }

  down = noWayBack;
}
