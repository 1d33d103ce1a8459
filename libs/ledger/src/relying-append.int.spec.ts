import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type StreamName, streamOf } from '@strongroom/contracts';
import { RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { type OwnLedger, openOwnLedger } from '../../../test/services/own-ledger.js';
import type { RelyingRequest } from './append-request.js';
import type { Ledger } from './ledger.js';

const ids = new RandomIds();
const context = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };

let own: OwnLedger;
let dataSource: DataSource;
let ledger: Ledger;
beforeAll(async () => {
  own = await openOwnLedger();
  ({ dataSource, ledger } = own);
});
afterAll(() => own.close());

/** Asks for a job of the kind `instance`. */
function forgetting(instanceId: string, reliesOn: RelyingRequest['reliesOn'] = []): RelyingRequest {
  return {
    stream: streamOf('instance', instanceId),
    expectedVersion: 0,
    accountId: 'acme',
    instanceId,
    context,
    events: [{ id: ids.next(), type: 'InstanceForgotten', data: { instanceId } }],
    claims: [{ kind: 'schedule-of-instance', key: instanceId }],
    releases: [],
    reliesOn,
  };
}

/** A stream with one event. */
async function streamThere(): Promise<StreamName> {
  const request = forgetting(ids.next());
  await ledger.append(request);
  return request.stream;
}

const append = (requests: RelyingRequest[]) =>
  dataSource.transaction((manager) => ledger.appendRelying(manager, requests));
const jobsOf = async (requests: RelyingRequest[]) => {
  const rows: { id: string }[] = await dataSource.query('select id from job where id = any($1)', [
    requests.map(({ instanceId }) => instanceId),
  ]);
  return rows.map(({ id }) => id).sort();
};

it('an append that relies on other streams is made while they are at their versions, with its jobs and claims', async () => {
  const other = await streamThere();
  const requests = [
    forgetting(ids.next(), [{ stream: other, version: 1 }]),
    forgetting(ids.next(), [
      { stream: other, version: 1 },
      { stream: streamOf('schedule', ids.next()), version: 0 },
    ]),
  ];
  // A stream that does not exist has no version that anything could rely on.
  expect(await append(requests)).toEqual([{ outcome: 'appended' }, { outcome: 'outdated' }]);
  const [made] = requests;
  expect(await jobsOf(requests)).toEqual([made?.instanceId]);
  const held = await ledger.claimedOf(
    dataSource.manager,
    'schedule-of-instance',
    requests.map(({ instanceId }) => instanceId),
  );
  expect([...held.values()]).toEqual([made?.stream]);
});

it('nothing is written of one whose stream has moved on, and the others are told their own outcomes', async () => {
  const [moved, still, taken] = [await streamThere(), await streamThere(), forgetting(ids.next())];
  await ledger.append(taken);
  const outdated = forgetting(ids.next(), [
    { stream: still, version: 1 },
    { stream: moved, version: 2 },
  ]);
  const made = forgetting(ids.next(), [{ stream: still, version: 1 }]);
  const again = { ...forgetting(ids.next()), stream: taken.stream, claims: [] };
  const held = { ...forgetting(ids.next()), claims: taken.claims };
  expect(await append([outdated, made, again, held])).toEqual([
    { outcome: 'outdated' },
    { outcome: 'appended' },
    { outcome: 'conflict' },
    { outcome: 'claimed', kind: 'schedule-of-instance', by: taken.stream },
  ]);
  expect(await jobsOf([outdated, made])).toEqual([made.instanceId]);
  expect(await ledger.readStream(outdated.stream)).toEqual([]);
});

it('a stream that is appended to while it is waited for is seen', async () => {
  const other = await streamThere();
  const first = dataSource.createQueryRunner();
  await first.startTransaction();
  const relying = forgetting(ids.next(), [{ stream: other, version: 1 }]);
  try {
    const { reliesOn: _, ...more } = { ...forgetting(ids.next()), stream: other, expectedVersion: 1, claims: [] };
    await ledger.appendWithin(first.manager, [more]);
    const waiting = append([relying]);
    await first.commitTransaction();
    expect(await waiting).toEqual([{ outcome: 'outdated' }]);
  } finally {
    await first.release();
  }
});
