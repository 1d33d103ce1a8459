import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { deleteInstancesId } from '@strongroom/contracts';
import { Credentials } from '@strongroom/credentials';
import { Ledger } from '@strongroom/ledger';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { openDataSource } from '../../../../test/services/database.js';
import { eventually } from '../../../../test/services/eventually.js';
import { Gateway } from '../../fixtures/gateway.js';
import { removeLeftCredentials } from './left-credentials.js';

let gateway: Gateway;
let dataSource: DataSource;
beforeAll(async () => {
  gateway = await Gateway.open();
  const { url } = gateway.database;
  dataSource = await openDataSource({ url, applicationName: 'left-credentials-spec' });
});
afterAll(async () => {
  await dataSource.destroy();
  await gateway.close();
});
beforeEach(() => dataSource.query('delete from instance_credential'));

const rows = z.array(z.object({ instance_id: z.string() }));
const kept = async () =>
  rows.parse(await dataSource.query('select instance_id from instance_credential')).map((row) => row.instance_id);
const age = (instanceId: string) =>
  dataSource.query(`update instance_credential set stored_at = now() - interval '2 hours' where instance_id = $1`, [
    instanceId,
  ]);

/** Leaves a password as a process does that dies before the registration. */
async function leave(): Promise<string> {
  const instanceId = randomUUID();
  await dataSource.query('insert into instance_credential (instance_id, ciphertext) values ($1, $2)', [
    instanceId,
    Buffer.from('sealed'),
  ]);
  return instanceId;
}

describe('the password of an instance', () => {
  it('that was never registered is removed after an hour, by whichever gateway looks', async () => {
    const [left, recent, registered] = [await leave(), await leave(), await gateway.register()];
    await age(left);
    await age(registered);
    const another = await Gateway.open({ database: gateway.database });
    try {
      await eventually(async () => expect((await kept()).sort()).toEqual([recent, registered].sort()), {
        withinMs: 20_000,
      });
      await eventually(() => expect(another.lines.join('\n')).toContain(left), { withinMs: 20_000 });
    } finally {
      await another.end();
    }
  });

  it('that was forgotten is kept for who tidies up on its server, and then removed', async () => {
    const [forgotten, registered] = [await gateway.register(), await gateway.register()];
    await age(forgotten);
    await age(registered);
    expect((await gateway.call(deleteInstancesId, { id: forgotten })).status).toBe(202);
    const parts = { credentials: new Credentials(dataSource, randomBytes(32)), ledger: new Ledger(dataSource) };
    expect(await removeLeftCredentials(parts)).toEqual([]);
    expect(await removeLeftCredentials(parts, 0)).toEqual([forgotten]);
    expect(await kept()).toEqual([registered]);
  });
});
