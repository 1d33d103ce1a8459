import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { deleteBackupsId, getAudit, getBackups, getEvents, pathOf, postInstances } from '@strongroom/contracts';
import { z } from 'zod';
import { eventually } from '../../../../test/services/eventually.js';
import { faultOf, nothing } from '../../fixtures/answers.js';
import { accountId, Gateway } from '../../fixtures/gateway.js';

const within = { withinMs: 20_000 };
const proxy = { STRONGROOM_TRUSTED_PROXIES: '127.0.0.1' };
let gateway: Gateway;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await gateway.close();
});

const from = (address: string, more: Record<string, string> = {}) => ({
  headers: { 'x-forwarded-for': address, ...more },
});
const wrong = (address: string) =>
  gateway.call(getBackups, { as: 'nobody', account: accountId, ...from(address, { 'x-auth-token': 'wrong' }) });
const refusedFrom = async () => {
  const { body } = await gateway.call(getAudit);
  const page = z.object({ audit: z.array(z.object({ type: z.string(), data: z.looseObject({}) })) }).parse(body);
  return page.audit.flatMap(({ type, data }) => (type === 'RequestsRefused' ? [data.address] : []));
};

describe('behind a proxy that is listed', () => {
  it('limits, log and audit go by the address that the proxy tells', async () => {
    gateway = await Gateway.open({ env: { ...proxy, STRONGROOM_WRONG_TOKENS_PER_MINUTE: '2' } });
    // An account without an event may be none: nothing is kept for it.
    await gateway.register();
    const statuses = [
      await wrong('192.0.2.1'),
      await wrong('192.0.2.1'),
      await wrong('192.0.2.1'),
      await wrong('192.0.2.2'),
    ];
    expect(statuses.map(({ status }) => status)).toEqual([401, 401, 413, 401]);
    await gateway.call(deleteBackupsId, { id: nothing, as: 'creator', ...from('1.1.1.1, 2001:db8::7') });
    expect(gateway.lines.some((line) => line.includes('"address":"2001:db8::7"'))).toBe(true);
    await eventually(async () => {
      expect(await refusedFrom()).toEqual(expect.arrayContaining(['192.0.2.1', '192.0.2.2', '2001:db8::7']));
    }, within);
    expect(await refusedFrom()).not.toContain('1.1.1.1');
  });

  it('a client with too many requests in hand is answered 503, and no other client of the proxy is', async () => {
    gateway = await Gateway.open({ env: { ...proxy, STRONGROOM_MAX_CONNECTIONS_PER_ADDRESS: '2' } });
    for (let n = 0; n < 2; n += 1) await stream('192.0.2.1');
    expect(faultOf(await gateway.call(getBackups, from('192.0.2.1')))).toEqual([503, 'serviceUnavailable']);
    // A request that is answered is not in hand any more.
    for (let n = 0; n < 4; n += 1) expect((await gateway.call(getBackups, from('192.0.2.2'))).status).toBe(200);
    sockets.pop()?.destroy();
    await eventually(async () => {
      expect((await gateway.call(getBackups, from('192.0.2.1'))).status).toBe(200);
    }, within);
  });

  it('large bodies beyond their room are a 503, and small ones are taken', async () => {
    gateway = await Gateway.open({ env: proxy });
    const answers: (string | undefined)[] = [];
    const waiting = Array.from({ length: 40 }, () => largeBody('192.0.2.1', (line) => answers.push(line)));
    // There is room for 32 of 64 KiB.
    await eventually(async () => expect(answers).toHaveLength(8), within);
    expect(new Set(answers)).toEqual(new Set(['HTTP/1.1 503 Service Unavailable']));
    const large = { instance: { name: 'x'.repeat(5_000) } };
    const post = (address: string, body: unknown) => gateway.call(postInstances, { body, ...from(address) });
    expect(faultOf(await post('192.0.2.1', large))).toEqual([503, 'serviceUnavailable']);
    expect(faultOf(await post('192.0.2.1', { instance: {} }))).toEqual([400, 'badRequest']);
    expect(faultOf(await post('192.0.2.2', large))).toEqual([400, 'badRequest']);
    for (const socket of waiting) socket.destroy();
    await eventually(async () => {
      expect(faultOf(await post('192.0.2.1', large))).toEqual([400, 'badRequest']);
    }, within);
  });
});

it('without a listed proxy nobody is believed about addresses', async () => {
  gateway = await Gateway.open({ env: { STRONGROOM_WRONG_TOKENS_PER_MINUTE: '2' } });
  await gateway.register();
  const statuses = [await wrong('192.0.2.1'), await wrong('192.0.2.2'), await wrong('192.0.2.3')];
  expect(statuses.map(({ status }) => status)).toEqual([401, 401, 413]);
  await eventually(async () => expect(new Set(await refusedFrom())).toEqual(new Set(['127.0.0.1'])), within);
});

/** A stream of events that stays open. */
async function stream(address: string): Promise<void> {
  const { hostname, port } = new URL(gateway.url);
  const socket = connect(Number(port), hostname);
  sockets.push(socket);
  socket.on('error', () => {});
  const path = getEvents.path.replace('{accountId}', accountId);
  socket.write(
    [
      `GET ${path} HTTP/1.1`,
      'Host: x',
      'Accept: text/event-stream',
      `X-Forwarded-For: ${address}`,
      `X-Auth-Token: ${gateway.tokenOf('admin')}`,
      '',
      '',
    ].join('\r\n'),
  );
  await once(socket, 'data');
}

/** A request whose body is told as large, and does not come. @param answered is called with the first line of an answer */
function largeBody(address: string, answered: (line: string | undefined) => void): Socket {
  const { hostname, port } = new URL(gateway.url);
  const socket = connect(Number(port), hostname);
  sockets.push(socket);
  socket.on('error', () => {});
  socket.once('data', (bytes) => answered(bytes.toString().split('\r\n', 1)[0]));
  socket.write(
    [
      `POST ${pathOf(postInstances, { accountId })} HTTP/1.1`,
      'Host: x',
      'Content-Type: application/json',
      'Content-Length: 65536',
      `X-Forwarded-For: ${address}`,
      `X-Auth-Token: ${gateway.tokenOf('admin')}`,
      '',
      '',
    ].join('\r\n'),
  );
  return socket;
}
