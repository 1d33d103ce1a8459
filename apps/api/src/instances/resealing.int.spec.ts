import { createCipheriv, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { getMetrics, postInstances, streamOf } from '@strongroom/contracts';
import { Credentials } from '@strongroom/credentials';
import { fold, instanceDecider, type RegisteredInstance } from '@strongroom/domain';
import { KeyRing } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../../test/services/database.js';
import { eventually } from '../../../../test/services/eventually.js';
import { Gateway } from '../../fixtures/gateway.js';

const [former, newer] = [randomBytes(32), randomBytes(32)];
const text = (...keys: Buffer[]) => keys.map((key) => key.toString('base64')).join(',');

let database: TestDatabase;
let dataSource: DataSource;
let gateway: Gateway;
beforeEach(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'resealing-spec' }));
  gateway = await open(former);
});
afterEach(async () => {
  await gateway.end();
  await dataSource.destroy();
  await database.drop();
});

const open = (...keys: Buffer[]) => Gateway.open({ database, env: { STRONGROOM_SECRET_KEY: text(...keys) } });
async function instanceOf(id: string): Promise<RegisteredInstance> {
  const state = fold(instanceDecider, await gateway.ledger.readStream(streamOf('instance', id)));
  if (state.is !== 'registered') throw new Error('the instance is not registered');
  return state;
}
const passwordUnder = async (key: Buffer, id: string) =>
  (await new Credentials(dataSource, new KeyRing([key])).get(await instanceOf(id)))?.password;

describe('the credentials of a gateway that has a new key', () => {
  it('are sealed anew under it while the gateway runs, and the former key is not needed any more', async () => {
    const ids = [await gateway.register(), await gateway.register()];
    await gateway.end();
    gateway = await open(newer, former);
    for (const id of ids) {
      await eventually(async () => expect(await passwordUnder(newer, id)).toBe('open sesame'), { withinMs: 20_000 });
    }
    await gateway.end();
    gateway = await open(newer);
    expect(gateway.lines.join('\n')).not.toContain("can't be opened");
  });

  it('are counted while the key that has sealed them is missing', async () => {
    await gateway.register();
    await gateway.end();
    gateway = await open(newer);
    const counted = async () => (await (await fetch(new URL(getMetrics.path, gateway.privateUrl))).text()).split('\n');
    await eventually(async () => expect(await counted()).toContain('strongroom_credentials_unreadable 1'), {
      withinMs: 20_000,
    });
    await gateway.end();
    gateway = await open(newer, former);
    await eventually(async () => expect(await counted()).toContain('strongroom_credentials_unreadable 0'), {
      withinMs: 20_000,
    });
  });

  it('are sealed for their connection, though an older version has sealed them for the instance alone', async () => {
    const id = await gateway.register();
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', former, nonce).setAAD(Buffer.from(id));
    const sealed = Buffer.concat([cipher.update(JSON.stringify({ password: 'of old' }), 'utf8'), cipher.final()]);
    const bytes = Buffer.concat([Buffer.from([1]), nonce, cipher.getAuthTag(), sealed]);
    await dataSource.query('update instance_credential set ciphertext = $2 where instance_id = $1', [id, bytes]);
    expect(await passwordUnder(former, id)).toBe('of old');
    await gateway.end();
    gateway = await open(former);
    const version = async () => {
      const [row] = await dataSource.query('select get_byte(ciphertext, 0) as version from instance_credential');
      return row.version;
    };
    await eventually(async () => expect(await version()).toBe(2), { withinMs: 20_000 });
    expect(await passwordUnder(former, id)).toBe('of old');
    const instance = await instanceOf(id);
    const elsewhere = { ...instance, endpoint: { ...instance.endpoint, host: 'forger.example' } };
    const refusal = { code: 'credential-unreadable' };
    await expect(new Credentials(dataSource, former).get(elsewhere)).rejects.toMatchObject(refusal);
  });

  it('leave its answers as they are: a request that comes again with its key has the answer that it had', async () => {
    const connection = { host: '127.0.0.1', port: 1, user: 'backup', password: 'open sesame' };
    const body = { instance: { name: 'orders', datastore: { type: 'postgresql', version: '18' }, connection } };
    const send = () => gateway.call(postInstances, { body, idempotencyKey: 'once' });
    const first = await send();
    await gateway.end();
    gateway = await open(newer, former);
    expect(await send()).toMatchObject({ status: first.status, body: first.body });
    const other = { body: { instance: { ...body.instance, name: 'bills' } }, idempotencyKey: 'once' };
    expect((await gateway.call(postInstances, other)).status).toBe(422);
  });
});
