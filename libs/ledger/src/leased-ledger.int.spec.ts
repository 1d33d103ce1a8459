import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type RecordedEvent, streamOf } from '@strongroom/contracts';
import { type InstanceCommand, instanceDecider } from '@strongroom/domain';
import { createLogger, RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { eventually } from '../../../test/services/eventually.js';
import { LeasedLedger } from './leased-ledger.js';
import { Ledger } from './ledger.js';
import { isOutage } from './ledger-fault.js';

const ids = new RandomIds();
const told: string[] = [];
const log = createLogger({ app: 'spec', level: 'info', to: { write: (line) => void told.push(line) } });

let database: TestDatabase;
let dataSource: DataSource;
let ledger: Ledger;
let instanceId: string;
let stream: ReturnType<typeof streamOf>;
let lease: AbortController;
let leased: LeasedLedger;
let cause: RecordedEvent;

beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'leased-ledger-spec' }));
  ledger = new Ledger(dataSource);
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

beforeEach(async () => {
  told.length = 0;
  instanceId = ids.next();
  stream = streamOf('instance', instanceId);
  const endpoint = { host: '127.0.0.1', port: 5432, user: 'backup', database: 'postgres', tls: 'disable' } as const;
  const datastore = { type: 'postgresql', version: '18' } as const;
  await ledger.append({
    stream,
    expectedVersion: 0,
    accountId: 'acme',
    instanceId,
    claims: [],
    releases: [],
    context: { requestId: 'request', correlationId: 'request', causationId: null, actor: 'somebody' },
    events: [{ id: ids.next(), type: 'InstanceRegistered', data: { instanceId, name: 'orders', datastore, endpoint } }],
  });
  lease = new AbortController();
  leased = new LeasedLedger({ ledger, ids, log }, { what: 'the work', signal: lease.signal });
  [cause] = (await leased.history(stream)) as [RecordedEvent];
});
afterEach(() => database.restore());

const forget = (id = instanceId): InstanceCommand => ({
  type: 'ForgetInstance',
  accountId: 'acme',
  instanceId: id,
});
const waits = () =>
  eventually(() => expect(told.join('')).toContain('for the work failed for now'), { withinMs: 30_000 });

describe('the ledger of a lease holder', () => {
  it('waits while its database is away, and reads and records when it is back', async () => {
    await database.cut();
    const reading = leased.stateOf(instanceDecider, instanceId);
    await waits();
    await database.restore();
    expect(await reading).toMatchObject({ is: 'registered' });

    told.length = 0;
    await database.cut();
    const recording = leased.causedBy(cause, 'runner').record(instanceDecider, instanceId, forget());
    await waits();
    await database.restore();
    expect(await recording).toMatchObject({ events: [{ type: 'InstanceForgotten' }] });
  });

  it('gives up when the lease is lost, and says what stood in the way', async () => {
    await database.cut();
    const reading = leased.history(stream).catch((error: unknown) => error);
    await waits();
    lease.abort(new Error('the lease was lost to another process'));
    expect(isOutage(await reading)).toBe(true);
  });

  it('answers a refusal at once, and throws at once what is no outage', async () => {
    const unknown = ids.next();
    const caused = leased.causedBy(cause, 'runner');
    expect(await caused.record(instanceDecider, unknown, forget(unknown))).toMatchObject({
      refused: 'instance-unknown',
    });
    await expect(leased.outlast('doing', () => dataSource.query('select wrong'))).rejects.toThrow('wrong');
    expect(told).toEqual([]);
  });

  it('records with its cause and its actor, for the account and the instance of the cause', async () => {
    await leased.causedBy(cause, 'runner').recordTogether(instanceDecider, [{ id: instanceId, command: forget() }]);
    const recorded = (await leased.history(stream)).at(-1);
    expect(recorded).toMatchObject({
      type: 'InstanceForgotten',
      accountId: 'acme',
      instanceId,
      context: { ...cause.context, causationId: cause.id, actor: 'runner' },
    });
  });
});
