/**
 * Requests with an Idempotency-Key that come at once are looked for by one statement, and refused by one. Each of these statements has its
 * plan from the session, and none by statistics.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class RequestsTogether1700000000077 implements MigrationInterface {
  static readonly installs = {
    ledger_is_claimed: '204223ae14a83ea0dbac501fab0eb13b59925bdb173d970799291071b475bfda',
    request_find: '33691ed9f49a06b608c645931130f3b66575bf8f95e40a56f083546041ee90b4',
    request_keep: 'ebf71bb3096f94cb73992c1c2ebaa854b7aa942ff0e2fad833faa5d0fa228c88',
    request_refuse: '2325803462d5548c24eb54829b3d14aa6622153de9509c66c7da294f98b56376',
  };

  async up(run: QueryRunner): Promise<void> {
    await installFunctions(run, RequestsTogether1700000000077.installs);
  }

  down = noWayBack;
}
