import { createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Reach } from '@strongroom/engines';
import { Networks } from '@strongroom/runtime/light';
import { WebhookReceiver } from '../../fixtures/webhook-receiver.js';
import { WebhookSender } from './sender.js';

let receiver: WebhookReceiver;
beforeAll(async () => {
  receiver = await WebhookReceiver.open();
});
afterAll(() => receiver.close());

const loopback = new Networks([['127.0.0.0', 8]]);
/** A sender whose names lead to these addresses, one list after the other. */
function senderTo(lists: string[][], networks = loopback) {
  let looks = 0;
  const lookup = () => Promise.resolve(lists[Math.min(looks++, lists.length - 1)] ?? []);
  const reach = new Reach({ customers: { networks, minTls: 'disable' }, lookup });
  return { sender: new WebhookSender(reach), looks: () => looks };
}
const send = (sender: WebhookSender, url: string, withinMs = 20_000) =>
  sender.send(
    {
      ...{ accountId: 'acme', url: new URL(url), id: 'x', at: new Date(), subject: 'x' },
      ...{ headers: { 'webhook-id': 'x' }, body: '{}' },
    },
    withinMs,
  );

describe('a message to a URL', () => {
  it('goes to the address that was judged, by the name of its host, which is looked up once', async () => {
    const { sender, looks } = senderTo([['127.0.0.1'], ['10.0.0.1']]);
    const url = receiver.urlOf('/named').replace('127.0.0.1', 'hooks.example.com');
    expect(await send(sender, url)).toMatchObject({ status: 204, fault: null });
    expect(looks()).toBe(1);
    expect(receiver.at('/named')[0]?.headers.host).toBe(new URL(url).host);
  });

  it.each([[['10.0.0.1']], [['169.254.169.254']], [['127.0.0.1', '10.0.0.1']], [['::ffff:10.0.0.1']]])(
    'goes nowhere when its host leads to %j, and does not tell where that is',
    async (addresses) => {
      const { sender } = senderTo([addresses]);
      const { status, fault } = await send(sender, receiver.urlOf('/x').replace('127.0.0.1', 'hooks.example.com'));
      expect([status, fault?.code]).toEqual([null, 'not-allowed']);
      for (const address of addresses) expect(fault?.message).not.toContain(address);
    },
  );

  it('that is answered without an end is taken, and no more than its head is waited for', async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket.on('error', () => {}));
      socket.write('HTTP/1.1 200 OK\r\nretry-after: 7\r\n\r\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const outcome = await send(senderTo([]).sender, `http://127.0.0.1:${port}/`);
    expect(outcome).toMatchObject({ status: 200, fault: null, retryAfterMs: 7_000 });
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  it('is given up when nobody answers in time, or nobody is there', async () => {
    receiver.answers.set('/silent', ['none']);
    const silent = await send(senderTo([]).sender, receiver.urlOf('/silent'), 100);
    expect(silent).toMatchObject({ status: null, fault: { code: 'timeout' } });
    expect(await send(senderTo([]).sender, 'http://127.0.0.1:1/')).toMatchObject({ fault: { code: 'unreachable' } });
  });
});
