/**
 * Keeps what was set aside, and up to where the views of an account are whole: only the streams that an older version has
 * passed over beyond that are folded again.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class SetAside1700000000025 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      create table set_aside (
        kind text not null,
        id text not null,
        account_id text,
        reason text not null,
        since timestamptz not null default now(),
        tried_at timestamptz not null default now(),
        primary key (kind, id)
      );
      create index set_aside_untried on set_aside (kind, tried_at);
      comment on table set_aside is 'What could not be read or done, and stops nothing else. It is tried again, and the row goes when that succeeds.';
      comment on column set_aside.id is 'The id of the thing; of a stream its name, of a job its kind and id.';
      comment on column set_aside.account_id is 'Null when it belongs to no account.';

      alter table view_head add column whole_until bigint not null default 0;
      update view_head set whole_until = position where passed_over = '{}';
      comment on column view_head.whole_until is 'Up to this position no event that a version has passed over is missing.';
    `);
  }

  down = noWayBack;
}
