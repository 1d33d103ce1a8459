/** Gives the file and syslog a cursor each: while one of them is away, the audit is written to the other. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class ExportsOfTheAudit1700000000071 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      alter table audit_export drop constraint audit_export_id_check;
      alter table audit_export add constraint audit_export_id_check check (id in (1, 2));
      insert into audit_export (id, position, seq, held_until) select 2, position, seq, '-infinity' from audit_export where id = 1;
      comment on table audit_export is
        'How far the audit was written to the file (1) and to syslog (2), and which process writes it.';
    `);
  }

  down = noWayBack;
}
