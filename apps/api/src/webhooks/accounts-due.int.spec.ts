import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { postWebhooks } from '@strongroom/contracts';
import { Ledger } from '@strongroom/ledger';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { connectTestDatabase, type TestDatabase } from '../../../../test/services/database.js';
import { eventually } from '../../../../test/services/eventually.js';
import { type As, accountId, Gateway, otherAccountId } from '../../fixtures/gateway.js';
import { WebhookReceiver } from '../../fixtures/webhook-receiver.js';
import { quickTimings, withWebhookTimings } from '../../fixtures/webhook-timings.js';
import { AccountsDue } from './accounts-due.js';
import { WebhookCursors } from './cursors.js';

const within = { withinMs: 20_000 };
const most = 12;
let gateway: Gateway;
let receiver: WebhookReceiver;
/** The accounts of each look whether there is something to send. */
const looks: string[][] = [];
let statements = 0;
let rounds = 0;

beforeAll(async () => {
  receiver = await WebhookReceiver.open();
  // Nothing is found by a look at all webhooks.
  const timings = { ...quickTimings, lookMs: 20, wholeMs: 3_600_000, findMs: 50 };
  gateway = await Gateway.open({
    options: withWebhookTimings(timings),
    env: { STRONGROOM_MAX_WEBHOOKS: String(most) },
  });
  gateway.dataSource.logger.logQuery = (statement, parameters: unknown) => {
    if (statement.includes('"webhook_view"')) rounds += 1;
    if (!/webhook_cursor|ledger_newest_of|from ledger_event/.test(statement)) return;
    // The finder's own statements, which come every minute.
    if (/insert into webhook_cursor|next_at is null and/.test(statement)) return;
    statements += 1;
    if (statement.includes('as newest from unnest')) looks.push(accountsIn(parameters));
  };
});
afterAll(async () => {
  await gateway.close();
  await receiver.close();
});

/** The first parameter of such a statement. */
const accountsIn = (parameters: unknown) => z.tuple([z.array(z.string())], z.unknown()).parse(parameters)[0];
const create = async (path: string, as: As = 'admin') => {
  const webhook = { name: path, url: receiver.urlOf(path), types: ['InstanceRegistered'] };
  expect(await gateway.call(postWebhooks, { as, body: { webhook } })).toMatchObject({ status: 202 });
};
/** Until the process has looked so often for webhooks that nobody has begun. */
const until = (round: number) => eventually(() => expect(rounds).toBeGreaterThanOrEqual(round), within);
/** Until nothing that was appended is looked at any more. */
const settled = () =>
  eventually(async () => {
    const before = statements;
    await until(rounds + 3);
    expect(statements).toBe(before);
  }, within);

describe('webhooks that have nothing to get', () => {
  const paths = Array.from({ length: most }, (_, number) => `/${number}`);
  beforeAll(async () => {
    for (const path of paths) await create(path);
    await create('/others', 'other');
    await settled();
  });

  it('have nothing asked of the database', async () => {
    const [before] = [statements];
    await until(rounds + 10);
    expect(statements).toBe(before);
  });

  it('are not looked at when something is appended to another account, whose own webhooks get it at once', async () => {
    looks.length = 0;
    const before = statements;
    await gateway.register('other');
    await eventually(() => expect(receiver.at('/others')).toHaveLength(1), within);
    await settled();
    expect(new Set(looks.flat())).toEqual(new Set([otherAccountId]));
    // The append and what is asked for one delivery: no more with twelve other webhooks than with none.
    expect(statements - before).toBeLessThan(20);
  });

  it('all get what is appended to their account, four at a time', async () => {
    looks.length = 0;
    await gateway.register();
    for (const path of paths) await eventually(() => expect(receiver.at(path)).toHaveLength(1), within);
    await settled();
    expect(new Set(looks.flat())).toEqual(new Set([accountId]));
  });

  it('are tried again when they have waited for long enough, and at no other time', async () => {
    receiver.answers.set('/0', [{ status: 500 }, { status: 500 }, { status: 500 }]);
    await gateway.register();
    await eventually(() => expect(receiver.at('/0')).toHaveLength(5), within);
    await settled();
    expect(new Set(receiver.idsAt('/0')).size).toBe(2);
  });
});

describe('what nobody has told of', () => {
  const leaseMs = 60_000;
  let database: TestDatabase;
  let dataSource: DataSource;
  let cursors: WebhookCursors;
  beforeAll(async () => {
    ({ database, dataSource } = await connectTestDatabase({ applicationName: 'spec' }));
    cursors = new WebhookCursors(dataSource, 'spec', leaseMs);
  });
  afterAll(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  const dueOf = (wholeMs: number) =>
    new AccountsDue({ ledger: new Ledger(dataSource), cursors, timings: { lookMs: 0, wholeMs } });
  const begin = (accounts: readonly string[]) =>
    cursors.begin(accounts.map((each) => ({ webhookId: randomUUID(), accountId: each, position: 0 })));
  const everybody = (count: number) => Array.from({ length: count }, (_, number) => `account-${number}`);
  /** Writes an event of each account as a lost notice leaves it: without a word. */
  const write = (accounts: readonly string[]) =>
    dataSource.query(
      `insert into ledger_event (id, stream, version, aggregate, type, account_id, instance_id, at, data, context)
       select gen_random_uuid(), 'instance-' || id, 1, 'instance', 'InstanceForgotten', account, id, now(), '{}', '{}'
       from (select account, gen_random_uuid() as id from unnest($1::text[]) as given(account)) as named`,
      [accounts],
    );

  it('is found by the look at all webhooks, which comes now and then', async () => {
    await begin(['lost']);
    const [often, seldom] = [dueOf(0), dueOf(3_600_000)];
    for (const due of [often, seldom]) {
      await due.find();
      expect(due.take(1)).toEqual([]);
    }
    await write(['lost', 'without webhooks']);
    for (const [due, found] of [
      [often, ['lost']],
      [seldom, []],
    ] as const) {
      await due.find();
      expect(due.take(1)).toEqual(found);
    }
    expect(seldom.appended()).toBe(true);
    await seldom.find();
    expect(seldom.take(1)).toEqual(['lost']);
    await cursors.take(1, new Map([['lost', 4]]));
  });

  it('is found to its end where more accounts have something than are kept in mind', async () => {
    const accounts = everybody(1_100);
    await begin(accounts);
    await write(accounts);
    const due = dueOf(3_600_000);
    const found: string[] = [];
    // It ends when a look finds nothing more.
    for (let before = -1; before < found.length; ) {
      before = found.length;
      await due.find();
      const some = due.take(2_000);
      expect(some.length).toBeLessThanOrEqual(1_000);
      const taken = await cursors.take(2_000, new Map(some.map((each) => [each, 4])));
      found.push(...taken.map((each) => each.accountId));
    }
    expect(found.toSorted()).toEqual(accounts.toSorted());
  });
});
