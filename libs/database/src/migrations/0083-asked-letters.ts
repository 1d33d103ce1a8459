/** Who marks a dead letter for replay tells the feeds of it. They need not look for such letters all the time. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class AskedLetters1700000000083 implements MigrationInterface {
  static readonly installs = {
    dead_letter_is_asked: 'a962b266dbebe7ba361f142d6284b99809708cce47b7aaf03f735d16382e6f5d',
  };

  async up(run: QueryRunner): Promise<void> {
    await installFunctions(run, AskedLetters1700000000083.installs);
    await run.query(`
      create trigger dead_letter_is_asked after update of replay_asked_at on dead_letter
        for each row when (new.replay_asked_at is not null) execute function dead_letter_is_asked();
    `);
  }

  down = noWayBack;
}
