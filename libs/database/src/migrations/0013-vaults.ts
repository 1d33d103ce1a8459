/** Keeps which vault each region has. After a restart too, a missing vault or another in its place is told from a new one. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class Vaults1700000000013 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      create table known_vault (
        region text primary key,
        -- Two regions with one vault would have one copy where two are counted.
        vault_id uuid not null unique,
        seen_at timestamptz not null default now()
      )`);
  }

  down = noWayBack;
}
