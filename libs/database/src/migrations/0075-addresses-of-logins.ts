/** Whether an instance was let in somewhere is remembered by address: a name may lead elsewhere by tomorrow. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class AddressesOfLogins1700000000075 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    // At which address they were let in is not known. Each instance is known again after its next log-in.
    await run.query(`
      delete from server_login;
      alter table server_login
        add column address text not null,
        drop constraint server_login_pkey,
        add primary key (instance_id, host, port, user_name, address);
      comment on table server_login is
        'At which addresses the server of an instance has let it in: what is told of faults there, and whose refusals count, depends on it.';
    `);
  }

  down = noWayBack;
}
