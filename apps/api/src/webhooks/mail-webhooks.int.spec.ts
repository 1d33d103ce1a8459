import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  createdWebhookResponse,
  deliveriesResponse,
  getWebhooksId,
  getWebhooksIdDeliveries,
  patchWebhooksId,
  postWebhooks,
  postWebhooksIdTest,
} from '@strongroom/contracts';
import { eventually } from '../../../../test/services/eventually.js';
import { fullFaultOf } from '../../fixtures/answers.js';
import { Gateway } from '../../fixtures/gateway.js';
import { headerOf, MailServer, password } from '../../fixtures/mail-server.js';
import { withWebhookTimings } from '../../fixtures/webhook-timings.js';

const within = { withinMs: 20_000 };
const people = 'from=strongroom@example.com&to=dba@example.com&tls=disable';
let gateway: Gateway;
let mail: MailServer;
beforeAll(async () => {
  mail = await MailServer.open();
  gateway = await Gateway.open({ options: withWebhookTimings() });
});
afterAll(async () => {
  await gateway.close();
  await mail.close();
});

async function create(url: string, format: string) {
  const webhook = { name: format, url, types: ['InstanceRegistered'], format };
  const answer = await gateway.call(postWebhooks, { body: { webhook } });
  expect(answer).toMatchObject({ status: 202 });
  return createdWebhookResponse.parse(answer.body).webhook;
}
/** The id of the event of a new instance. */
async function register(): Promise<string> {
  const instance = await gateway.register();
  return (await gateway.events()).find(({ instanceId }) => instanceId === instance)?.id ?? '';
}

describe('a webhook of mail', () => {
  it('waits for a server that takes a message the second time, and passes over what is refused for good', async () => {
    mail.answers.push(451, 550);
    const url = mail.urlOf(people, { login: `user:${encodeURIComponent(password)}@` });
    const { id, url_origin } = await create(url, 'email');
    expect(url_origin).toBe(`smtp://${new URL(url).host}`);
    const ids = [await register(), await register()];
    await eventually(async () => {
      const answer = await gateway.call(getWebhooksIdDeliveries, { id });
      const { deliveries } = deliveriesResponse.parse(answer.body);
      expect(deliveries.map((each) => [each.id, each.state, each.attempts, each.http_status])).toEqual([
        [ids[1], 'delivered', 1, null],
        [ids[0], 'failed', 2, null],
      ]);
    }, within);
    mail.answers.push(451);
    const next = await register();
    const taken = () => mail.taken.map((each) => headerOf(each, 'webhook-id'));
    await eventually(() => expect(taken()).toEqual([ids[1], next]), within);
    const told = [await gateway.call(getWebhooksId, { id }), await gateway.call(getWebhooksIdDeliveries, { id })];
    const everywhere = JSON.stringify([told, await gateway.events(), gateway.lines]);
    expect(everywhere.match(/dba@example|p%40ss|p@ss/)).toBeNull();
  });

  it('has its URL changed with its format, and not alone', async () => {
    const { id } = await create('https://hooks.example.com/', 'slack');
    const change = (webhook: object) => gateway.call(patchWebhooksId, { id, body: { webhook } });
    const told = [400, 'badRequest', expect.stringContaining('webhook.format')];
    expect(fullFaultOf(await change({ format: 'email' }))).toEqual(told);
    expect((await change({ format: 'email', url: mail.urlOf(people) })).status).toBe(202);
    expect(fullFaultOf(await change({ format: 'slack' }))).toEqual(told);
    expect((await gateway.call(postWebhooksIdTest, { id })).body).toMatchObject({ attempt: { delivered: true } });
  });
});
