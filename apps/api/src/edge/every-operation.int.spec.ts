import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { isOfAccount, type Operation, operations } from '@strongroom/contracts';
import { createTestDatabase, type TestDatabase } from '../../../../test/services/database.js';
import { faultIn, faultOf, nothing } from '../../fixtures/answers.js';
import { type Call, Gateway } from '../../fixtures/gateway.js';

const ofAccount = operations.filter(isOfAccount);

/** Calls the operation as its example does, with the id of something that does not exist. */
function ask(gateway: Gateway, operation: Operation, call: Call = {}) {
  const { method, examples } = operation;
  const body = method === 'GET' || method === 'DELETE' ? undefined : (examples?.[0]?.request ?? {});
  return gateway.call(operation, { id: nothing, version: nothing, body, ...call });
}

describe('every operation', () => {
  let gateway: Gateway;
  let limited: Gateway;
  beforeAll(async () => {
    gateway = await Gateway.open();
    limited = await Gateway.open({ env: { STRONGROOM_RATE_LIMITS: '*=1/3600' } });
  });
  afterAll(async () => {
    await limited.close();
    await gateway.close();
  });

  it.each(ofAccount.filter(({ path }) => path.includes('{id}')))(
    'is a 404 of what is not there: $method $path',
    async (operation) => {
      expect(faultOf(await ask(gateway, operation))).toEqual([404, 'itemNotFound']);
    },
  );

  it.each(ofAccount.filter(({ method }) => method !== 'GET'))(
    'is a 415 with a body of another type: $method $path',
    async (operation) => {
      const sent = { bytes: '<backup/>', headers: { 'content-type': 'application/xml' } };
      expect(faultOf(await gateway.call(operation, { id: nothing, version: nothing, ...sent }))).toEqual([
        415,
        'badMediaType',
      ]);
    },
  );

  it.each(ofAccount)('is a 413 with Retry-After when it is asked too often: $method $path', async (operation) => {
    await ask(limited, operation);
    const answer = await ask(limited, operation);
    expect(faultOf(answer)).toEqual([413, 'overLimit']);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  });
});

describe('every operation, when the service fails', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await Gateway.open();
    await gateway.sql('drop table request_count');
  });
  afterAll(() => gateway.close());

  it.each(ofAccount)('is a 500 that tells nothing but the id of the request: $method $path', async (operation) => {
    const answer = await ask(gateway, operation, { requestId: 'req-500' });
    expect(faultOf(answer)).toEqual([500, 'instanceFault']);
    expect(faultIn(answer.body).message).toContain(answer.headers.get('x-request-id'));
    expect(faultIn(answer.body).message).not.toMatch(/request_count|relation|select/i);
  });
});

describe('every operation, when the database is away', () => {
  let database: TestDatabase;
  let gateway: Gateway;
  beforeAll(async () => {
    database = await createTestDatabase();
    await database.cut();
    gateway = await Gateway.open({ database, isDatabaseAway: true });
  });
  afterAll(async () => {
    await database.restore();
    await gateway.close();
  });

  it.each(ofAccount)('is a 503 with Retry-After: $method $path', async (operation) => {
    const answer = await ask(gateway, operation);
    expect(faultOf(answer)).toEqual([503, 'serviceUnavailable']);
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
  });
});
