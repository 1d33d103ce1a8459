/** Says in clearer words what some columns hold, and installs three functions again for the same reason. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class ClearerComments1700000000023 implements MigrationInterface {
  static readonly installs = {
    backup_view_place: 'f5da6be2b7a8b84815659ecb2e571171b4db3d874b78572d36d345e7f14dba60',
    job_add: '3180d29840a1cadcb5c3a9757eab53926775da9a500ad6cbc54e18426d5a04c5',
    ledger_is_claimed: 'ae87a18b5cc324d391c4118f5da3d846c43baf1e5b3105d8a0e606363fb42374',
  };

  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      comment on column backup_view.position is 'The position of the event that begins the backup. It tells which backup is newest, even when a clock was wrong.';
      comment on column job.failures is 'How often the job failed: its holder was lost, or gave it back as failed.';
      comment on table view_head is 'Up to which position the views of an account are folded. A process locks the row while it folds them.';
      comment on column view_head.passed_over is 'The types of events that the version which folded the views did not know.';
      comment on column slot_timer.ahead is 'The coming slots that a wrong clock has decided before their time. A slot that was decided twice is here twice.';
      comment on table steady_time is 'The steady clock of each host: one row for each boot.';
      comment on column steady_time.booted_at_ms is 'When the host booted. This time and the time since the boot make the time of its schedulers.';
      comment on column steady_time.seen_at_ms is 'The newest time that the clock of the host has given.';
      comment on column idempotent_request.resource_id is 'The id of what the request makes. A repeated request makes the same id.';
    `);
    await installFunctions(run, ClearerComments1700000000023.installs);
  }

  down = noWayBack;
}
