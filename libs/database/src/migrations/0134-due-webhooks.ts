/** Finds the webhooks of an account, those that wait for a time, and those that take nothing, however many other webhooks there are. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class DueWebhooks1700000000134 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      create index webhook_cursor_of_account on webhook_cursor (account_id, next_at);
      create index webhook_cursor_by_time on webhook_cursor (next_at);
      create index webhook_cursor_failing on webhook_cursor (failing_since) where failing_since is not null;
    `);
  }

  down = noWayBack;
}
