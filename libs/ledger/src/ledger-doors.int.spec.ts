import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { streamOf } from '@strongroom/contracts';
import { RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import type { AppendRequest } from './append-request.js';
import { Ledger } from './ledger.js';

const ids = new RandomIds();
const context = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };

let database: TestDatabase;
let dataSource: DataSource;
let ledger: Ledger;
beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'ledger-doors-spec' }));
  ledger = new Ledger(dataSource);
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

/** @returns the position of the event */
async function append(
  accountId: string,
  instanceId: string,
  type: 'InstanceForgotten' | 'InstanceRegistered',
  more: Partial<AppendRequest> = {},
): Promise<number> {
  const endpoint = { host: 'db', port: 5432, user: 'backup', database: 'postgres', tls: 'require' as const };
  const datastore = { type: 'postgresql' as const, version: '18' };
  const registered = { type: 'InstanceRegistered' as const, data: { instanceId, name: 'orders', datastore, endpoint } };
  const outcome = await ledger.append({
    stream: streamOf('instance', instanceId),
    expectedVersion: 0,
    accountId,
    instanceId,
    context,
    claims: [],
    releases: [],
    events: [{ id: ids.next(), ...(type === 'InstanceRegistered' ? registered : { type, data: { instanceId } }) }],
    ...more,
  });
  if (outcome.outcome !== 'appended') throw new Error(outcome.outcome);
  return outcome.position;
}

describe('what the ledger says to other rooms', () => {
  it('is 0 before the first event, and no account', async () => {
    expect(await ledger.head()).toBe(0);
    expect(await ledger.newestOf('nobody')).toBe(0);
    expect(await ledger.accountsBeyond(undefined, 10)).toEqual([]);
  });

  it('are the accounts, each once, and where the newest event of each is', async () => {
    const instanceId = ids.next();
    await append('acme', instanceId, 'InstanceRegistered');
    const ofAcme = await append('acme', instanceId, 'InstanceForgotten', { expectedVersion: 1 });
    const ofOther = await append('other', ids.next(), 'InstanceRegistered');
    expect(await ledger.accountsBeyond(undefined, 10)).toEqual(['acme', 'other']);
    expect(await ledger.accountsBeyond(undefined, 1)).toEqual(['acme']);
    expect(await ledger.accountsBeyond('acme', 10)).toEqual(['other']);
    expect(await ledger.accountsBeyond('other', 10)).toEqual([]);
    expect(await ledger.newestOf('acme')).toBe(ofAcme);
    expect(await ledger.newestOf('other')).toBe(ofOther);
    expect(await ledger.head()).toBe(ofOther);
  });

  it('is the newest event of each stream that is there', async () => {
    const [registered, forgotten, absent] = [ids.next(), ids.next(), ids.next()];
    await append('acme', registered, 'InstanceRegistered');
    await append('acme', forgotten, 'InstanceRegistered');
    await append('acme', forgotten, 'InstanceForgotten', { expectedVersion: 1 });
    const streams = [registered, forgotten, absent].map((id) => streamOf('instance', id));
    const newest = await ledger.newestOfStreams(streams);
    expect([...newest].map(([stream, { type }]) => [stream, type]).sort()).toEqual(
      [
        [streams[0], 'InstanceRegistered'],
        [streams[1], 'InstanceForgotten'],
      ].sort(),
    );
    const [event] = (await ledger.readStream(streamOf('instance', forgotten))).slice(-1);
    expect(newest.get(streamOf('instance', forgotten))?.at.toISOString()).toBe(event?.at);
  });

  it('is whether a claim is held, until it is given back with its transaction', async () => {
    const [kept, left] = [ids.next(), ids.next()];
    const kind = 'schedule-of-instance';
    const holds = async (key: string) =>
      (await dataSource.query('select ledger_is_claimed($1, $2) as held', [kind, key]))[0].held;
    await append('acme', ids.next(), 'InstanceRegistered', { claims: [kept, left].map((key) => ({ kind, key })) });
    await expect(
      dataSource.transaction(async (manager) => {
        await ledger.releaseClaims(manager, kind, [kept]);
        throw new Error('rolled back');
      }),
    ).rejects.toThrow('rolled back');
    await ledger.releaseClaims(dataSource.manager, 'another-kind', [left]);
    expect([await holds(kept), await holds(left), await holds(ids.next())]).toEqual([true, true, false]);
    await ledger.releaseClaims(dataSource.manager, kind, [left]);
    await ledger.releaseClaims(dataSource.manager, kind, []);
    expect([await holds(kept), await holds(left)]).toEqual([true, false]);
  });
});
