/** Keeps the credentials of instances, as ciphertext only. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class Credentials1700000000006 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      create table instance_credential (
        instance_id uuid primary key,
        ciphertext bytea not null,
        stored_at timestamptz not null default now()
      );
    `);
  }

  down = noWayBack;
}
