/** Keeps each changed credential beside the one before it, until an event says which of them is in force. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class ChangedCredentials1700000000034 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      create table changed_credential (
        credential_id uuid primary key,
        instance_id uuid not null,
        ciphertext bytea not null,
        stored_at timestamptz not null default now()
      );
      create index changed_credential_of_instance on changed_credential (instance_id);
      comment on table changed_credential is 'The sealed credentials that took the place of those in instance_credential. An event of the instance names the one in force.';
    `);
  }

  down = noWayBack;
}
