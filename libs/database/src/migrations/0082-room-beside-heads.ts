/**
 * The pages of `view_head` keep room, so that a head that moves stays on its page: no index is touched, and what it leaves is taken up by
 * the next one. It counts for pages that are written from now on, and takes the table from nobody.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class RoomBesideHeads1700000000082 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query('alter table view_head set (fillfactor = 50)');
  }

  down = noWayBack;
}
