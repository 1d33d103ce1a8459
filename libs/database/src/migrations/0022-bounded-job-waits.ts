/** Lets an append wait only shortly for another transaction that holds one of its jobs. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class BoundedJobWaits1700000000022 implements MigrationInterface {
  static readonly installs = {
    job_add_with_events: '727a60f9cfe4ebf5c66653dc35a1f7ea34464f46b451f460914ffbae249306a7',
  };

  async up(run: QueryRunner): Promise<void> {
    await installFunctions(run, BoundedJobWaits1700000000022.installs);
  }

  down = noWayBack;
}
