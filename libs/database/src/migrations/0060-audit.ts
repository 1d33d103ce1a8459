/** Keeps what is audited and is no event: refused requests, and the rights and keys that are in force. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class Audit1700000000060 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      create table audit_entry (
        seq bigint generated always as identity primary key,
        id uuid not null unique,
        position bigint not null,
        account_id text,
        at timestamptz not null,
        type text not null,
        digest text,
        entry jsonb not null
      );
      create index audit_entry_of_account on audit_entry (account_id, position, seq);
      create index audit_entry_at on audit_entry (at);
      create index audit_entry_newest on audit_entry (type, account_id, seq) where digest is not null;
      comment on table audit_entry is
        'What is audited and is no event. An entry comes after the event at its position; entries of one position are in order of seq.';
      comment on column audit_entry.account_id is 'Null for what belongs to no account.';
      comment on column audit_entry.digest is 'An entry whose digest is that of the one before it is not made.';
      create table audit_export (
        id smallint primary key check (id = 1),
        position bigint not null,
        seq bigint not null,
        holder text,
        held_until timestamptz not null
      );
      comment on table audit_export is 'How far the audit was written to the file or to syslog, and which process writes it.';
    `);
  }

  down = noWayBack;
}
