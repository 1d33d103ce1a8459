/** Leases jobs one account after the other, so that nobody with many jobs holds up the others, and no account has too many in hand. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class TurnsOfAccounts1700000000065 implements MigrationInterface {
  static readonly installs = {
    job_is_free: '6eb4148f43d5b858155f168571c788f68cd5aa934c8910fa0b00db339c9a9040',
    job_is_open: '84e0241093dfd3182445e820fa2bc7d25182847e210d9e85a846f27b7a6de878',
    job_lease: '49451f039f4860201a602c940ecf9b4d0d8f190ade9f15cba14782d9c7cc7e71',
  };

  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      create table job_turn (
        kind text not null,
        lane text not null,
        account_id text not null default '',
        primary key (kind, lane)
      );
      comment on table job_turn is 'How far the turns of the accounts are, by kind of job and lane.';
      comment on column job_turn.account_id is 'The account that had the last turn.';
      create index job_of_account on job (kind, lane, account_id, ready_at, id);
      create index job_held on job (kind, account_id, lease_owner) where lease_owner is not null;
    `);
    await installFunctions(run, TurnsOfAccounts1700000000065.installs);
  }

  down = noWayBack;
}
