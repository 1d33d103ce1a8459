/** Tells whose log-ins were refused at a server: each account has a share of those that may fail there. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class LogInsOfAccounts1700000000070 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      alter table refused_login add column account_id text;
      comment on column refused_login.account_id is 'Null for what an older version has counted.';
    `);
  }

  down = noWayBack;
}
