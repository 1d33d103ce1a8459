import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { getSchedules, pathOf, postInstances } from '@strongroom/contracts';
import { z } from 'zod';
import { accountId, Gateway } from '../../fixtures/gateway.js';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open();
});
afterAll(() => gateway.close());

describe('a request', () => {
  const line = z.looseObject({ msg: z.string(), requestId: z.string().optional() });
  const linesOf = (requestId: string) =>
    gateway.lines.map((each) => line.parse(JSON.parse(each))).filter((each) => each.requestId === requestId);

  it('has an id of ours in the answer and in the log, and what the client calls it beside that', async () => {
    const own = await gateway.request('GET', '/nothing', { headers: { 'x-request-id': 'req-7' } });
    const ours = own.headers.get('x-request-id') ?? '';
    expect([ours, own.headers.get('x-client-request-id')]).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/), 'req-7']);
    expect(linesOf(ours)).toMatchObject([{ msg: 'answered', status: 404, clientRequestId: 'req-7' }]);
    expect(linesOf('req-7')).toEqual([]);
    const made =
      (await gateway.request('GET', `${pathOf(getSchedules, { accountId })}/%ff`)).headers.get('x-request-id') ?? '';
    expect(linesOf(made)).toMatchObject([{ msg: 'answered', status: 400 }]);
  });

  it('carries its id and its caller into the events that follow from it', async () => {
    const headers = { 'x-request-id': 'req-8', 'x-correlation-id': 'order-9' };
    const body = {
      instance: {
        name: 'traced',
        datastore: { type: 'postgresql', version: '18' },
        connection: { host: 'h', port: 1, user: 'u', password: 'p' },
      },
    };
    const answer = await gateway.call(postInstances, { as: 'creator', headers, body });
    const { instance } = z.object({ instance: z.object({ id: z.string() }) }).parse(answer.body);
    const events = await gateway.ledger.readStream(`instance-${instance.id}`);
    const requestId = answer.headers.get('x-request-id');
    const who = { kind: 'user', id: 'creator', name: 'creator', domain: null, address: '127.0.0.1' };
    expect(events.map(({ context }) => context)).toEqual([
      {
        requestId,
        correlationId: requestId,
        causationId: null,
        actor: 'creator',
        actorDetails: who,
        clientRequestId: 'req-8',
        clientCorrelationId: 'order-9',
      },
    ]);
  });
});
