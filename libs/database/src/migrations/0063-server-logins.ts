/** Which instances were let in at which servers, and the log-ins that servers have refused of late. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class ServerLogins1700000000063 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      create table server_login (
        instance_id uuid not null,
        host text not null,
        port integer not null,
        user_name text not null,
        let_in_at timestamptz not null default now(),
        primary key (instance_id, host, port, user_name)
      );
      comment on table server_login is
        'Where the server of an instance has let it in: what is told of faults there, and whether refusals count, depends on it.';
      create table refused_login (
        id bigint generated always as identity primary key,
        server text not null,
        refused_at timestamptz not null default now()
      );
      create index refused_login_by_server on refused_login (server, refused_at);
      comment on table refused_login is
        'Log-ins that were refused at an address and port, or are being tried there by an instance that was never let in.';
    `);
    // Whoever has a backup was let in.
    await run.query(`
      insert into server_login (instance_id, host, port, user_name)
      select id, lower(endpoint->>'host'), (endpoint->>'port')::integer, endpoint->>'user' from instance_view
      where endpoint is not null
        and exists (select from backup_view where instance_id = instance_view.id and backup_view.status = 'COMPLETED')
      on conflict do nothing;
    `);
  }

  down = noWayBack;
}
