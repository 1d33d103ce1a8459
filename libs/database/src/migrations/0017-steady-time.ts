/**
 * Keeps what is right when clocks are wrong: the time that each host goes by, the slots that were decided before their time,
 * and the position of each backup, which tells what is newest.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class SteadyTime1700000000017 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      -- Of one boot of a host: add the time since then, and it is the time that its schedulers go by.
      create table steady_time (
        boot text primary key,
        booted_at_ms double precision not null,
        -- The newest time that it has given.
        seen_at_ms double precision not null
      );

      -- Slots to come that have an outcome already, each as often as it has: their time is still to be decided.
      alter table slot_timer add column ahead timestamptz[] not null default '{}';

      -- Of the event that begins it.
      alter table backup_view add column position bigint;
      update backup_view b set position = e.position from ledger_event e where e.stream = 'backup-' || b.id and e.version = 1;
      create function backup_view_place() returns trigger language plpgsql as $$
      begin
        select e.position into new.position from ledger_event e where e.stream = 'backup-' || new.id and e.version = 1;
        return new;
      end $$;
      -- An older version beside this one does not write it.
      create trigger backup_view_has_its_place before insert on backup_view
        for each row when (new.position is null) execute function backup_view_place();
      create index backup_view_of_instance_in_order on backup_view (instance_id, position desc);
    `);
  }

  down = noWayBack;
}
