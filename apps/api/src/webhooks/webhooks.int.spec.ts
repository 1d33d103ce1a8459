import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  createdWebhookResponse,
  deleteWebhooksId,
  deliveriesResponse,
  type EventType,
  eventsResponse,
  getEvents,
  getWebhooks,
  getWebhooksId,
  getWebhooksIdDeliveries,
  patchWebhooksId,
  pathOf,
  postWebhooks,
  postWebhooksIdReplay,
  postWebhooksIdSecret,
  postWebhooksIdTest,
  type RecordedEvent,
  rotatedSecretResponse,
  webhookAttemptResponse,
  webhookResponse,
  webhooksResponse,
} from '@strongroom/contracts';
import { Credentials, WebhookSecrets } from '@strongroom/credentials';
import { Ledger } from '@strongroom/ledger';
import { createLogger, KeyRing } from '@strongroom/runtime';
import { Webhook } from 'standardwebhooks';
import { DataSource } from 'typeorm';
import { createTestDatabase, type TestDatabase } from '../../../../test/services/database.js';
import { eventually } from '../../../../test/services/eventually.js';
import { faultOf, fullFaultOf } from '../../fixtures/answers.js';
import { accountId, Gateway } from '../../fixtures/gateway.js';
import { type AnswerOfReceiver, type Received, WebhookReceiver } from '../../fixtures/webhook-receiver.js';
import { quickTimings, withWebhookTimings } from '../../fixtures/webhook-timings.js';
import { WebhookCursors } from './cursors.js';
import { tidySecrets } from './tidy-secrets.js';

const within = { withinMs: 20_000 };
let database: TestDatabase;
let gateway: Gateway;
let receiver: WebhookReceiver;
const secretKey = Buffer.alloc(32, 7).toString('base64');
const open = (options = withWebhookTimings()) =>
  Gateway.open({ database, options, env: { STRONGROOM_SECRET_KEY: secretKey, STRONGROOM_MAX_WEBHOOKS: '100' } });
beforeAll(async () => {
  receiver = await WebhookReceiver.open();
  database = await createTestDatabase();
  gateway = await open();
});
afterAll(async () => {
  await gateway.end();
  await receiver.close();
  await database.drop();
});

const types: EventType[] = ['InstanceRegistered'];
async function create(path: string, fields: object = {}, by = gateway) {
  const webhook = { name: path, url: receiver.urlOf(path), types, ...fields };
  const answer = await by.call(postWebhooks, { body: { webhook } });
  expect(answer).toMatchObject({ status: 202 });
  return createdWebhookResponse.parse(answer.body).webhook;
}
const shown = async (id: string) => webhookResponse.parse((await gateway.call(getWebhooksId, { id })).body).webhook;
const deliveriesOf = async (id: string) =>
  deliveriesResponse.parse((await gateway.call(getWebhooksIdDeliveries, { id })).body).deliveries;
const replay = (id: string, event: string) =>
  gateway.call(postWebhooksIdReplay, { id, body: { replay: { event_id: event } } });
const answering = (path: string, ...answers: AnswerOfReceiver[]) => receiver.answers.set(path, answers);
/** The ids of the newest registrations, the oldest first. */
async function register(count: number, by = gateway): Promise<string[]> {
  const instances: string[] = [];
  for (let n = 0; n < count; n += 1) instances.push(await by.register());
  const events = await by.events();
  return instances.flatMap((id) => events.find((event) => isRegistration(event, id))?.id ?? []);
}
const isRegistration = ({ type, instanceId }: RecordedEvent, id: string) =>
  type === 'InstanceRegistered' && instanceId === id;
const headersOf = ({ headers }: Received) => ({
  'webhook-id': String(headers['webhook-id']),
  'webhook-timestamp': String(headers['webhook-timestamp']),
  'webhook-signature': String(headers['webhook-signature']),
});
/** As a receiver does it who knows nothing of Strongroom. @throws when the signature is not by the secret */
const verified = (secret: string, message: Received) => new Webhook(secret).verify(message.body, headersOf(message));

describe('a webhook', () => {
  it('gets the events of its account that come after it, in order, as the API shows them, and signed', async () => {
    await register(1);
    const { id, secret } = await create('/in-order');
    const ids = await register(3);
    await gateway.register('other');
    await eventually(() => expect(receiver.idsAt('/in-order')).toEqual(ids), within);
    const { events } = eventsResponse.parse((await gateway.call(getEvents, { query: { limit: 100 } })).body);
    for (const message of receiver.at('/in-order')) {
      const event = verified(secret, message);
      expect(event).toEqual(events.find((each) => each.id === message.headers['webhook-id']));
      expect(() => verified(`whsec_${Buffer.alloc(32).toString('base64')}`, message)).toThrow();
    }
    const deliveries = await deliveriesOf(id);
    expect(deliveries.map((each) => [each.id, each.state, each.attempts])).toEqual(
      ids.toReversed().map((each) => [each, 'delivered', 1]),
    );
  });

  it('gets an event again until it is taken, with the same id, and the later ones after it', async () => {
    answering('/away', { status: 500 }, 'none', { status: 503, headers: { 'retry-after': '1' } });
    await create('/away');
    const [first, second] = await register(2);
    await eventually(() => expect(receiver.idsAt('/away')).toEqual([first, first, first, first, second]), within);
  });

  it('gets what it was refused no longer, when it has refused it often enough, and may ask for it again', async () => {
    answering('/refuses', { status: 400 }, { status: 302, headers: { location: receiver.urlOf('/elsewhere') } });
    const { id } = await create('/refuses');
    const [first = '', second = ''] = await register(2);
    await eventually(() => expect(receiver.idsAt('/refuses')).toEqual([first, first, second]), within);
    await eventually(async () => {
      const told = (await deliveriesOf(id)).map((each) => [each.id, each.state, each.http_status, each.fault?.code]);
      expect(told).toEqual([
        [second, 'delivered', 204, undefined],
        [first, 'failed', 302, 'redirect'],
      ]);
    }, within);
    expect(receiver.at('/elsewhere')).toEqual([]);
    const answer = await replay(id, first);
    expect(webhookAttemptResponse.parse(answer.body).attempt).toMatchObject({ webhook_id: first, delivered: true });
    expect(receiver.idsAt('/refuses')).toEqual([first, first, second, first]);
    const unknown = await replay(id, id);
    expect(unknown.status).toBe(404);
  });

  it('is disabled when it is gone, tells why, and goes on where it stopped when it is enabled', async () => {
    answering('/gone', { status: 410 });
    const { id } = await create('/gone');
    const ids = await register(2);
    await eventually(async () => expect(await shown(id)).toMatchObject({ enabled: false }), within);
    expect((await shown(id)).disabled).toMatchObject({ code: 'gone' });
    const [first] = receiver.idsAt('/gone');
    expect([first, receiver.at('/gone').length]).toEqual([ids[0], 1]);
    expect((await gateway.call(patchWebhooksId, { id, body: { webhook: { enabled: true } } })).status).toBe(202);
    await eventually(() => expect(receiver.idsAt('/gone')).toEqual([ids[0], ...ids]), within);
    expect(await shown(id)).toMatchObject({ enabled: true, disabled: null });
  });

  it('that hangs holds up no other', async () => {
    answering('/hangs', ...Array<AnswerOfReceiver>(50).fill('none'));
    const { id } = await create('/hangs');
    await create('/beside');
    const ids = await register(2);
    await eventually(() => expect(receiver.idsAt('/beside')).toEqual(ids), within);
    const hanging = () => new Set(receiver.idsAt('/hangs'));
    await eventually(() => expect(hanging()).toEqual(new Set(ids.slice(0, 1))), within);
    await gateway.call(deleteWebhooksId, { id });
  });

  it('has its URL changed, and gets at the new one what the former has not taken', async () => {
    answering('/former', ...Array<AnswerOfReceiver>(50).fill({ status: 500 }));
    const { id, secret } = await create('/former');
    const untouched = { failing_since: null, next_attempt: null };
    expect(await shown(id)).toMatchObject({ ...untouched, last_delivery: null });
    const ids = await register(1);
    const told = { id: ids[0], event_type: 'InstanceRegistered', state: 'waiting', http_status: 500 };
    const failing = { failing_since: expect.any(String), next_attempt: expect.any(String), last_delivery: told };
    await eventually(async () => expect(await shown(id)).toMatchObject(failing), within);
    const { webhooks } = webhooksResponse.parse((await gateway.call(getWebhooks)).body);
    expect(webhooks.find((each) => each.id === id)).toMatchObject(failing);
    await gateway.call(patchWebhooksId, { id, body: { webhook: { url: receiver.urlOf('/moved') } } });
    await eventually(() => expect(receiver.idsAt('/moved')).toEqual(ids), within);
    const delivered = { ...untouched, last_delivery: { id: ids[0], state: 'delivered', http_status: 204 } };
    await eventually(async () => expect(await shown(id)).toMatchObject(delivered), within);
    for (const message of receiver.at('/moved')) verified(secret, message);
  });

  it('is sent nothing when it was deleted, and leaves nothing behind', async () => {
    const { id } = await create('/deleted');
    await register(1);
    await eventually(() => expect(receiver.at('/deleted')).toHaveLength(1), within);
    expect((await gateway.call(deleteWebhooksId, { id })).status).toBe(202);
    await register(1);
    const left = `select (select count(*)::int from webhook_cursor where webhook_id = '${id}') as cursors,
      (select count(*)::int from webhook_delivery where webhook_id = '${id}') as deliveries`;
    await eventually(async () => expect(await gateway.sql(left)).toEqual([{ cursors: 0, deliveries: 0 }]), within);
    expect(receiver.at('/deleted')).toHaveLength(1);
    expect((await gateway.call(getWebhooksId, { id })).status).toBe(404);
  });

  it('that nobody has begun, because a process died after its event, is begun', async () => {
    const { id } = await create('/not-begun');
    await gateway.sql(`delete from webhook_cursor where webhook_id = '${id}'`);
    // A scheduler folds the views; here a reader does.
    await gateway.call(getWebhooks);
    const ids = await register(1);
    await eventually(() => expect(receiver.idsAt('/not-begun')).toEqual(ids), within);
  });

  it('is delivered to by one process at a time, and by another one when that is lost', async () => {
    const { id } = await create('/leased', { enabled: false });
    await gateway.call(patchWebhooksId, { id, body: { webhook: { enabled: true } } });
    const lost = new WebhookCursors(gateway.dataSource, 'lost', 500);
    // Between two turns of the gateway: in the middle of one, it would send without its lease.
    const taking = `update webhook_cursor set holder = 'lost', held_until = now() + interval '500 ms'
      where webhook_id = '${id}' and holder is null`;
    const held = `select holder from webhook_cursor where webhook_id = '${id}'`;
    await eventually(async () => {
      await gateway.sql(taking);
      expect(await gateway.sql(held)).toEqual([{ holder: 'lost' }]);
    }, within);
    const ids = await register(1);
    await eventually(() => expect(receiver.idsAt('/leased')).toEqual(ids), within);
    expect(await lost.move(id, Number.MAX_SAFE_INTEGER, { delivered: true })).toBe(false);
    const again = await register(1);
    await eventually(() => expect(receiver.idsAt('/leased')).toEqual([...ids, ...again]), within);
  });

  it('gets again, with the same id, what a process has sent and not noted', async () => {
    await gateway.end();
    let sent = false;
    class DyingCursors extends WebhookCursors {
      override move(): Promise<boolean> {
        sent = true;
        return Promise.reject(new Error('the process of the spec dies here'));
      }
    }
    const useFactory = (dataSource: DataSource) => new DyingCursors(dataSource, 'dying', 60_000);
    const dying = await open(
      withWebhookTimings(quickTimings, [{ provide: WebhookCursors, inject: [DataSource], useFactory }]),
    );
    await create('/sent-twice', {}, dying);
    const [first, second] = await register(2, dying);
    await eventually(() => expect(sent && receiver.idsAt('/sent-twice').includes(first ?? '')).toBe(true), within);
    await dying.end();
    const before = receiver.idsAt('/sent-twice').length;
    gateway = await open();
    await eventually(() => expect(receiver.idsAt('/sent-twice').slice(before)).toEqual([first, second]), within);
  });
});

it('a webhook is changed and deleted only as it was read, where the client says so', async () => {
  const { id } = await create('/as-read');
  const read = (await gateway.call(getWebhooksId, { id })).headers.get('etag') ?? '';
  const rename = (name: string) => ({ id, body: { webhook: { name } }, headers: { 'if-match': read } });
  expect((await gateway.call(patchWebhooksId, rename('one'))).status).toBe(202);
  expect(faultOf(await gateway.call(patchWebhooksId, rename('other')))).toEqual([412, 'preconditionFailed']);
  const remove = { id, headers: { 'if-match': read } };
  expect(faultOf(await gateway.call(deleteWebhooksId, remove))).toEqual([412, 'preconditionFailed']);
  expect((await gateway.call(deleteWebhooksId, { id })).status).toBe(202);
});

describe('the secret of a webhook', () => {
  it('is told once, and is nowhere else, and neither is the path of its URL', async () => {
    const { id, secret } = await create('/very-secret-path', { name: 'told' });
    const everywhere = await gateway.sql(
      `select coalesce(string_agg(line, ' '), '') as lines from (
         select ledger_event::text as line from ledger_event union all select webhook_view::text from webhook_view
         union all select encode(ciphertext, 'escape') from webhook_secret union all select idempotent_request::text from idempotent_request
       ) as all_lines`,
    );
    const said = [everywhere, await shown(id), await gateway.call(getWebhooks), gateway.lines];
    expect(JSON.stringify(said).match(/very-secret-path|whsec_/)).toBeNull();
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect((await shown(id)).url_origin).toBe(new URL(receiver.urlOf('/')).origin);
  });

  it('is the same when the request is made again with its Idempotency-Key', async () => {
    const body = { webhook: { name: 'again', url: receiver.urlOf('/again') } };
    const made = [1, 2].map(() =>
      gateway.call(postWebhooks, { body, idempotencyKey: '5f0d2b52-0000-4000-8000-000000000001' }),
    );
    const [one, other] = await Promise.all(made);
    expect([one?.status, other?.status]).toEqual([202, 202]);
    expect(other?.body).toEqual(one?.body);
    const { id } = createdWebhookResponse.parse(one?.body).webhook;
    const rotate = () =>
      gateway.call(postWebhooksIdSecret, { id, idempotencyKey: '5f0d2b52-0000-4000-8000-000000000002' });
    const rotated = await rotate();
    expect(rotated.status).toBe(202);
    expect((await rotate()).body).toEqual(rotated.body);
    const kept = JSON.stringify(await gateway.sql('select idempotent_request::text as line from idempotent_request'));
    expect([kept.includes('5f0d2b52'), kept.includes('whsec_')]).toEqual([true, false]);
  });

  it('is changed without a gap: for a day, the former one signs too', async () => {
    const { id, secret } = await create('/rotated');
    const rotated = rotatedSecretResponse.parse((await gateway.call(postWebhooksIdSecret, { id })).body);
    expect(rotated.secret).not.toBe(secret);
    await register(1);
    await eventually(() => expect(receiver.at('/rotated')).toHaveLength(1), within);
    for (const message of receiver.at('/rotated')) {
      verified(secret, message);
      verified(rotated.secret, message);
    }
  });

  it('goes when another one is in force, and no sooner', async () => {
    const ring = new KeyRing([Buffer.from(secretKey, 'base64')]);
    const sealed = async () => [...(await new Credentials(gateway.dataSource, ring).countByKey()).values()];
    const before = await sealed();
    const body = { webhook: { name: 'tidied', url: receiver.urlOf('/tidied'), types } };
    const make = () => gateway.call(postWebhooks, { body, idempotencyKey: '5f0d2b52-0000-4000-8000-000000000003' });
    const { id, secret } = createdWebhookResponse.parse((await make()).body).webhook;
    // Whoever drops a key is told that this is sealed under it.
    expect(await sealed()).toEqual(before.map((count) => count + 1));
    const rotated = rotatedSecretResponse.parse((await gateway.call(postWebhooksIdSecret, { id })).body);
    const parts = {
      ledger: new Ledger(gateway.dataSource),
      log: createLogger({ app: 'spec', level: 'silent', to: { write: () => {} } }),
    };
    await tidySecrets({ ...parts, secrets: new WebhookSecrets(gateway.dataSource, ring) }, -60_000);
    const left = `select count(*)::int as left from webhook_secret where webhook_id = '${id}'`;
    expect(await gateway.sql(left)).toEqual([{ left: 1 }]);
    const test = webhookAttemptResponse.parse((await gateway.call(postWebhooksIdTest, { id })).body);
    expect(test.attempt.delivered).toBe(true);
    expect(await make()).toMatchObject({
      status: 404,
      body: { itemNotFound: { message: expect.stringContaining('Ask for a new one') } },
    });
    for (const message of receiver.at('/tidied')) for (const each of [secret, rotated.secret]) verified(each, message);
  });

  it('that can not be opened is told as such, and the URL and a new secret mend it', async () => {
    const { id } = await create('/unreadable');
    await gateway.sql(`update webhook_secret set ciphertext = '\\x00' where webhook_id = '${id}'`);
    const told = { unprocessableEntity: { message: expect.stringContaining(`PATCH /webhooks/${id}`) } };
    expect(await gateway.call(postWebhooksIdTest, { id })).toMatchObject({ status: 422, body: told });
    expect(await gateway.call(postWebhooksIdSecret, { id })).toMatchObject({ status: 422, body: told });
    const newest = (await gateway.events()).at(-1)?.id ?? '';
    expect(await replay(id, newest)).toMatchObject({ status: 422, body: told });
    const changed = { id, body: { webhook: { url: receiver.urlOf('/unreadable') } } };
    expect((await gateway.call(patchWebhooksId, changed)).status).toBe(202);
    const { secret } = rotatedSecretResponse.parse((await gateway.call(postWebhooksIdSecret, { id })).body);
    expect((await gateway.call(postWebhooksIdTest, { id })).body).toMatchObject({ attempt: { delivered: true } });
    for (const message of receiver.at('/unreadable')) verified(secret, message);
  });
});

describe('a test of a webhook', () => {
  it('tells how the URL was answered', async () => {
    const { id } = await create('/tested');
    const attempt = async () =>
      webhookAttemptResponse.parse((await gateway.call(postWebhooksIdTest, { id })).body).attempt;
    expect(await attempt()).toMatchObject({ delivered: true, http_status: 204, fault: null });
    answering('/tested', { status: 418 });
    expect(await attempt()).toMatchObject({ delivered: false, http_status: 418, fault: { code: 'answered' } });
    const types = receiver.at('/tested').map(({ body }) => JSON.parse(body));
    expect(types[0]).toMatchObject({ type: 'WebhookTest', subject: { kind: 'webhook', id } });
  });

  it('does not reach what the deployment keeps for itself', async () => {
    const own = new URL(database.url);
    const { id } = await create('/', { url: `http://127.0.0.1:${own.port || '5432'}/` });
    const { attempt } = webhookAttemptResponse.parse((await gateway.call(postWebhooksIdTest, { id })).body);
    expect(attempt).toMatchObject({ delivered: false, http_status: null, fault: { code: 'not-allowed' } });
  });
});

it.each([
  ['http://169.254.169.254/latest', 'is 169.254.169.254', 'event'],
  ['https://10.0.0.1/', 'is 10.0.0.1', 'event'],
  ['http://hooks.example.com/', 'must begin with https', 'event'],
  ['https://user:word@hooks.example.com/', 'no user and no password', 'event'],
  ['ftp://hooks.example.com/', 'must be a URL with https', 'event'],
  ['hooks', 'must be a URL with https', 'event'],
  ['https://hooks.example.com/#x', 'no fragment', 'event'],
  ['smtps://mail.example.com?from=a@example.com&to=b@example.com', 'must be a URL with https', 'slack'],
  ['https://hooks.example.com/', 'must begin with smtps: or smtp:', 'email'],
  ['smtps://10.0.0.1?from=a@example.com&to=b@example.com', 'is 10.0.0.1', 'email'],
  ['smtp://mail.example.com?from=a@example.com&to=b@example.com&tls=disable', 'in clear to no other', 'email'],
  ['smtps://mail.example.com?from=a@example.com', 'to=NAME@HOST', 'email'],
])('no webhook leads to %s', async (url, why, format) => {
  const answer = await gateway.call(postWebhooks, { body: { webhook: { name: 'wrong', url, format } } });
  expect(fullFaultOf(answer)).toEqual([400, 'badRequest', expect.stringContaining(why)]);
});

it('a token that reaches only some instances sees no webhook', async () => {
  const { id } = await create('/whole');
  await gateway.admit('limited', { name: 'limited', roles: ['admin'], instances: [await gateway.register()] });
  const asked = { headers: { 'x-auth-token': 'limited' } };
  await eventually(async () => {
    const answer = await gateway.request('GET', pathOf(getWebhooksId, { accountId, id }), { as: 'nobody', ...asked });
    expect(answer.status).toBe(403);
  }, within);
});
