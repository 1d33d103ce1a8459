/** Keeps the answers of idempotent requests as they were sent. As jsonb they lose their order, and some texts are refused. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class Answers1700000000009 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query('alter table idempotent_request alter column body type json using body::json');
  }

  down = noWayBack;
}
