/** Each service in a role of its own: what it writes is what it may write, and one role for all works too. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from '@jest/globals';
import { grants, roleOf, type ServiceName, serviceNames } from '@strongroom/database';
import pg from 'pg';
import { WebhookReceiver } from '../apps/api/fixtures/webhook-receiver.js';
import { CustomerDatabase } from './customer-database.js';
import { Deployment } from './deployment.js';
import { builtServersIn } from './services/built-servers.js';
import { eventually } from './services/eventually.js';

let deployment: Deployment;
let customer: CustomerDatabase | undefined;
let folder: string | undefined;
let receiver: WebhookReceiver | undefined;
afterEach(async () => {
  await receiver?.close();
  await deployment.remove();
  await customer?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** What a service may write and does only when something went wrong, or late. */
const seldom: Readonly<Record<string, string>> = {
  'set_aside insert': 'something that cannot be read is set aside',
  'set_aside delete': 'it can be read again, or is gone',
  'set_aside update': 'it is tried again',
  'dead_letter insert': 'a message is set aside',
  'dead_letter update': 'a topic is made anew, or a letter is replayed',
  'feed_offset update': 'a topic is made anew, as the API sees it',
  'feed_handled insert': 'an operator has replayed a letter',
  'feed_handled delete': 'the second look comes after five minutes',
  'second_look insert': 'the second look comes after five minutes',
  'second_look update': 'the second look comes after five minutes',
  'relay_cursor insert': 'another process has begun to relay',
  'relay_cursor update': 'another process relays',
  'ledger_identity insert': 'another process has named the ledger',
  'ledger_identity update': 'a role without a right has named the ledger first',
  'ledger_identity delete': 'the ledger has had many names',
  'dead_letter delete': 'a letter was replayed a month ago',
  'instance_credential insert': 'a server was built from a backup',
  'instance_credential update': 'a credential is sealed anew',
  'instance_credential delete': 'what nobody needs is removed after an hour',
  'changed_credential update': 'a credential is sealed anew',
  'changed_credential delete': 'what nobody needs is removed after an hour',
  'idempotent_request delete': 'a key is forgotten after a day',
  'job_news update': 'no row is written; the right to lock one needs it',
  'job_news delete': 'the feed comes before the row',
  'known_vault insert': 'another process has seen the vault first',
  'region_outage insert': 'a region is away',
  'region_outage update': 'a region is away',
  'region_outage delete': 'a region is back',
  'transfer_rate insert': 'a copy of 16 MiB or more was made',
  'transfer_rate update': 'another one was made between the same regions',
  'transfer_in_force update': 'twenty seconds have gone by, or its limits are others',
  'transfer_budget insert': 'a limit of transfers is set',
  'transfer_budget update': 'a limit of transfers is set',
  'server_login insert': 'the other service has logged in there first',
  'server_login update': 'it logs in there again',
  'server_login delete': 'nobody has logged in there for a year',
  'refused_login insert': 'a server that has let nobody in is tried',
  'refused_login delete': 'it lets somebody in, or has refused long ago',
  'audit_entry update': 'no row is written; the right to lock one needs it',
  'audit_export insert': 'the audit goes to a file or to syslog, too',
  'audit_export update': 'the audit goes to a file or to syslog, too',
  'webhook_secret update': 'what is secret of a webhook is sealed anew',
  'webhook_secret delete': 'what nobody needs is removed after an hour',
  'restore_test_view delete': 'the views are folded anew, and no event tells of a test that is there',
  'slot_timer delete': 'a schedule is gone',
  'slot_timer update': 'a slot was due',
};

async function onDatabase<T>(use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: deployment.databaseUrl });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

it('each service writes what it may write, and nothing is refused to it', async () => {
  customer = await CustomerDatabase.start({ megabytes: 1, settings: { summarize_wal: 'on' } });
  // A scheduler that builds servers takes the job of a forgotten instance at once, and finds nothing to remove.
  folder = await mkdtemp(join(tmpdir(), 'strongroom-roles-'));
  deployment = await Deployment.create({ env: builtServersIn(folder) });
  await onDatabase(watchWrites);
  const [api] = await deployment.startAll();
  const client = deployment.client(api);
  const instanceId = await deployment.register(api, customer.server);
  await customer.query(`alter role backup password 'another'`);
  await client.instances.change(instanceId, { verify: false, connection: { password: 'another' } });
  receiver = await WebhookReceiver.open();
  const hook = await client.webhooks.create({ name: 'roles', url: receiver.urlOf('/roles') });
  await client.webhooks.rotate(hook.id);
  const scheduleId = await deployment.schedule(api, instanceId);
  const first = await deployment.runNow(api, scheduleId);
  await deployment.untilCopied(api, first);
  for (const seconds of [60, 70]) {
    await client.backups.tellRestoreTest(first, { region: 'IAD', seconds, proof: 'tables-read' });
    // The view has it from then on.
    expect((await client.backups.get(first)).restore_tests).toMatchObject([{ seconds }]);
  }
  const asked = { name: 'by hand', instance: instanceId, parent_id: first };
  const { id: second } = await client.backups.create(asked, { idempotencyKey: 'the-second' });
  await deployment.until(api, second, ({ status }) => status === 'COMPLETED');
  // An operator has all views folded anew.
  await onDatabase((owner) => owner.query('update view_head set position = 0'));
  await deployment.untilCopied(api, first);
  await client.backups.delete(second);
  // Its copies go with it.
  await client.backups.delete(first);
  await client.schedules.delete(scheduleId);
  await deployment.jobsDone();
  await client.instances.delete(instanceId);
  await deployment.jobsDone();
  expect(receiver.at('/roles').length).toBeGreaterThan(0);
  await client.webhooks.delete(hook.id);
  const written = await eventually(
    async () => {
      const found = await onDatabase(writes);
      expect(serviceNames.flatMap((service) => unused(service, found))).toEqual([]);
      return found;
    },
    { withinMs: 30_000 },
  );
  expect(written.length).toBeGreaterThan(20);
  for (const app of serviceNames) {
    const refused = (await readFile(deployment.logFile(app), 'utf8'))
      .split('\n')
      .filter((line) => /permission denied|"42501"/.test(line));
    expect(refused).toEqual([]);
  }
}, 240_000);

it('one role for all services works, and each of them says what that means', async () => {
  deployment = await Deployment.create({ roles: 'one' });
  const [api] = await deployment.startAll();
  await eventually(async () => expect((await fetch(`${api.url}/health/ready`)).status).toBe(200), {
    withinMs: 20_000,
  });
  for (const app of serviceNames) {
    expect(await readFile(deployment.logFile(app), 'utf8')).toContain("owns the ledger's tables");
  }
}, 120_000);

/** The writes that the service has a right to and has not made, of those that every run makes. */
function unused(service: ServiceName, found: readonly string[]): string[] {
  const writes = Object.entries(grants[service].tables).flatMap(([table, allowed]) =>
    allowed.filter((verb) => verb !== 'select').map((verb) => `${table} ${verb}`),
  );
  return writes
    .filter((write) => seldom[write] === undefined)
    .filter((write) => {
      // Whoever comes first folds the views, so each service must be able to.
      const writers = /_view |^view_head /.test(write) ? serviceNames : [service];
      return !writers.some((each) => found.includes(`${roleOf(each)} ${write}`));
    })
    .map((write) => `${service}: ${write}`);
}

/** Notes who writes to which table as itself. What a function does with the rights of its owner is not noted. */
async function watchWrites(client: pg.Client): Promise<void> {
  await client.query(`
    create table written (role text, what text, primary key (role, what));
    create function note_write(role text, what text) returns void language sql security definer set search_path = public as
      'insert into written values (role, what) on conflict do nothing';
    create function watch_write() returns trigger language plpgsql as $$
    begin
      if current_user = session_user then
        perform note_write(session_user, tg_table_name || ' ' || lower(tg_op));
      end if;
      return null;
    end $$;
    do $$
    declare
      ours regclass;
    begin
      for ours in select oid from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' and relname <> 'written' loop
        execute format('create trigger watched after insert or update or delete on %s for each statement execute function watch_write()', ours);
      end loop;
    end $$`);
}

async function writes(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ role: string; what: string }>('select role, what from written');
  return rows.map(({ role, what }) => `${role} ${what}`);
}
