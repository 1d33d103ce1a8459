import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { postBackups } from '@strongroom/contracts';
import { eventually } from '../../../../test/services/eventually.js';
import { fullFaultOf, nothing } from '../../fixtures/answers.js';
import { accountId, Gateway } from '../../fixtures/gateway.js';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open();
});
afterAll(() => gateway.close());

const create = (backup: object) => gateway.call(postBackups, { body: { backup: { name: 'x', ...backup } } });
async function completed(instance: string): Promise<string> {
  const id = await gateway.backup(instance);
  await gateway.run(id, instance, 'completed');
  return id;
}

it('an incremental is built on a parent that has completed, as the ledger says, also where a view is wrong', async () => {
  const instance = await gateway.register();
  const parent = await completed(instance);
  await gateway.sql(`update backup_view set status = 'FAILED' where id = '${parent}'`);
  expect((await create({ instance, parent_id: parent })).status).toBe(202);
});

it('an incremental is refused by what is known here before its server is asked anything', async () => {
  const asked: Socket[] = [];
  const listener = createServer((socket) => asked.push(socket.end()));
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  try {
    const address = listener.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const connection = { host: '127.0.0.1', port, user: 'backup', password: 'x' };
    const instance = await gateway.register('admin', { connection });
    const ofOther = await completed(await gateway.register());
    // As long as the instance has none, none is the newest.
    for (const parent_id of [ofOther, nothing]) {
      expect((await create({ instance, parent_id })).status).toBeGreaterThanOrEqual(400);
    }
    expect(asked).toEqual([]);
    const [older, newest] = [await completed(instance), await completed(instance)];
    for (const parent_id of [ofOther, older, nothing]) {
      expect((await create({ instance, parent_id })).status).toBeGreaterThanOrEqual(400);
    }
    expect((await create({ instance, parent_id: newest, copy_to: ['IAD'] })).status).toBe(400);
    expect(asked).toEqual([]);
    expect((await create({ instance, parent_id: newest })).status).toBe(202);
    expect(asked).toHaveLength(1);
  } finally {
    listener.close();
  }
});

it('a parent beyond the reach of a token is not there for it, as one that never was', async () => {
  const instance = await gateway.register();
  const ofOther = await completed(await gateway.register());
  await gateway.admit('scoped', { name: 'scoped', roles: ['admin'], instances: [instance] });
  const by = { as: 'nobody' as const, account: accountId, headers: { 'x-auth-token': 'scoped' } };
  const told = async (parent_id: string) =>
    fullFaultOf(await gateway.call(postBackups, { ...by, body: { backup: { name: 'x', instance, parent_id } } }));
  await eventually(async () => expect((await told(nothing))[0]).toBe(404), { withinMs: 20_000 });
  const [status, type, message] = await told(ofOther);
  expect([status, type, message.replace(ofOther, nothing)]).toEqual(await told(nothing));
});
