import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { headerOf, MailServer } from '../apps/api/fixtures/mail-server.js';
import { WebhookReceiver } from '../apps/api/fixtures/webhook-receiver.js';
import type { AppProcess } from './app-process.js';
import { Deployment } from './deployment.js';
import { CertificateAuthority } from './services/certificates.js';
import { eventually } from './services/eventually.js';

const within = { withinMs: 30_000 };
const nobody = { host: '127.0.0.1', port: 1, user: 'backup', password: 'open sesame' };
let folder: string;
let strongroom: Deployment;
let receiver: WebhookReceiver;
let api: AppProcess;
const authority = CertificateAuthority.create('the authority of a mail server');

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-webhooks-'));
  const ca = join(folder, 'authority.pem');
  await writeFile(ca, authority.certificate);
  strongroom = await Deployment.create({ feed: { kind: 'embedded' }, env: { NODE_EXTRA_CA_CERTS: ca } });
  receiver = await WebhookReceiver.open();
  api = await strongroom.start('api');
}, 60_000);
afterAll(async () => {
  await strongroom?.remove();
  await receiver?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Registers so many instances, half of them by each process. */
const register = (count: number, by: readonly AppProcess[] = [api]) =>
  Promise.all(Array.from({ length: count }, (_, number) => strongroom.register(by[number % by.length] ?? api, nobody)));
/** The ids of the events of some registrations, in the order of the ledger. */
async function eventsOf(instances: readonly string[]): Promise<string[]> {
  const rows = await strongroom.query(
    `select id from ledger_event where type = 'InstanceRegistered' and instance_id = any('{${instances.join(',')}}') order by position`,
  );
  return rows.map(({ id }) => String(id));
}
const create = (path: string) =>
  strongroom
    .client(api)
    .webhooks.create({ name: path, url: receiver.urlOf(path), types: ['InstanceRegistered'], format: 'event' });

describe('a webhook', () => {
  it('gets each event once and in order from two processes', async () => {
    const other = await strongroom.start('api');
    await create('/two');
    const instances: string[] = [];
    // An event comes while another one is under way, and while none is.
    for (let round = 0; round < 4; round += 1) {
      instances.push(...(await register(6, [api, other])));
      await eventually(() => expect(receiver.at('/two').length).toBeGreaterThan(round * 6), within);
    }
    const events = await eventsOf(instances);
    await eventually(() => expect(receiver.idsAt('/two')).toEqual(events), within);
    await other.stop();
  }, 120_000);

  it('gets again, with the same id, what a killed process has sent and not noted, and then what comes after it', async () => {
    const { id } = await create('/killed');
    const events = await eventsOf(await register(1));
    await eventually(() => expect(receiver.idsAt('/killed')).toEqual(events), within);
    const { answer, answered } = held();
    receiver.answers.set('/killed', [{ status: 204, after: answered }]);
    const instances = [...(await register(1)), ...(await register(2))];
    const [first = '', ...later] = await eventsOf(instances);
    await eventually(() => expect(receiver.idsAt('/killed')).toEqual([...events, first]), within);

    // The process has its answer, and comes as far as to note it.
    const { unlock } = await lock(`select from webhook_cursor where webhook_id = '${id}' for update`);
    answer();
    const delivery = `select state from webhook_delivery where webhook_id = '${id}' and event_id = '${first}'`;
    await eventually(async () => expect(await strongroom.query(delivery)).toEqual([{ state: 'delivered' }]), within);
    const waiting = `select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
      and query like '%update webhook_cursor%'`;
    await eventually(async () => expect(await strongroom.query(waiting)).toHaveLength(1), within);
    await api.kill();
    // Its statement has not reached the database.
    await strongroom.query(`select pg_terminate_backend(pid) from (${waiting}) as ended`);
    await eventually(async () => expect(await strongroom.query(waiting)).toEqual([]), within);
    await unlock();
    // A minute later, its lease has lapsed.
    await strongroom.query(`update webhook_cursor set held_until = now() where webhook_id = '${id}'`);

    api = await strongroom.start('api');
    await eventually(() => expect(receiver.idsAt('/killed')).toEqual([...events, first, first, ...later]), within);
    const bodies = receiver.at('/killed').map(({ body }) => body);
    expect(bodies[2]).toBe(bodies[1]);
  }, 120_000);

  it.each([
    ['smtp', {}],
    ['smtps', { secure: true }],
  ])('is mail to a server with %s whose certificate is verified', async (scheme, options) => {
    const { certificate: cert, key } = authority.issue({ name: 'localhost', hosts: ['localhost'] });
    const mail = await MailServer.open({ cert, key, ...options });
    try {
      const people = 'from=strongroom@example.com&to=dba@example.com';
      const url = mail.urlOf(people, { scheme, host: 'localhost' });
      const { webhooks } = strongroom.client(api);
      const { id } = await webhooks.create({ name: scheme, url, types: ['InstanceRegistered'], format: 'email' });
      expect(await webhooks.test(id)).toMatchObject({ delivered: true, http_status: null, fault: null });
      const events = await eventsOf(await register(1));
      await eventually(() => expect(mail.taken).toHaveLength(2), within);
      expect(mail.taken.map((each) => each.isSecure)).toEqual([true, true]);
      expect(headerOf(mail.taken[1] ?? { raw: '' }, 'webhook-id')).toBe(events[0]);
      await webhooks.delete(id);
    } finally {
      await mail.close();
    }
  });
});

/** An answer that is given when the test says so. */
function held() {
  let answer = () => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  return { answer, answered };
}

/** Holds what a statement locks. */
async function lock(statement: string): Promise<{ unlock: () => Promise<void> }> {
  const client = new pg.Client({ connectionString: strongroom.databaseUrl });
  await client.connect();
  await client.query('begin');
  await client.query(statement);
  return {
    unlock: async () => {
      await client.query('rollback');
      await client.end();
    },
  };
}
