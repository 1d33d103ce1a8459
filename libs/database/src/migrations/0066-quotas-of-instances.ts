/** Counts the instances of each account, and those of them that are servers built from backups. Each has a quota from now on. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class QuotasOfInstances1700000000066 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      with instance as (
        select account_id, bool_or(type = 'InstanceForgotten') as is_gone, bool_or(type = 'InstanceBuildFailed') as has_failed,
          bool_or(type = 'InstanceBuildRequested') as is_built
        from ledger_event where aggregate = 'instance' group by stream, account_id
      )
      insert into ledger_quota (kind, key, used)
        select 'instances-of-account', account_id, count(*) from instance where not is_gone group by account_id
        union all
        select 'built-servers-of-account', account_id, count(*) from instance where is_built and not is_gone and not has_failed
        group by account_id
      on conflict (kind, key) do update set used = excluded.used;
    `);
  }

  down = noWayBack;
}
