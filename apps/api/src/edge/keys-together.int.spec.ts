import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Answer } from '@strongroom/client';
import {
  deleteSchedulesId,
  getSchedules,
  type Operation,
  postBackups,
  postSchedules,
  putSchedulesId,
} from '@strongroom/contracts';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../../../test/services/database.js';
import { WireProxy } from '../../../../test/services/wire-proxy.js';
import { faultOf, nothing } from '../../fixtures/answers.js';
import { type Call, Gateway } from '../../fixtures/gateway.js';

let database: TestDatabase;
let proxy: WireProxy;
let gateway: Gateway;
beforeAll(async () => {
  database = await createTestDatabase();
  proxy = await WireProxy.before(database.url);
  gateway = await Gateway.open({ database: { ...database, url: proxy.url } });
});
afterEach(() => proxy.calm());
afterAll(async () => {
  await gateway.close();
  await proxy.close();
});

const timing = { action: 'backup', day_of_week: 0, hour: 14, minute: 30 };
const newSchedule = (instance_id: string) => ({ body: { schedule: { ...timing, instance_id } } });
const keyed = (idempotencyKey: string, operation: Operation, call: Call = {}) =>
  gateway.call(operation, { idempotencyKey, ...call });
const many = <T>(count: number, make: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, index) => make(index)));
const isReplayed = ({ headers }: Answer) => headers.get('idempotent-replayed') === 'true';
const count = z.array(z.object({ count: z.int() }));
const howMany = async (what: string) => count.parse(await gateway.sql(`select count(*)::int from ${what}`))[0]?.count;
const schedulesOf = (instance_id: string) => gateway.ids(getSchedules, { query: { instance_id } });

/** Counts the statements that are sent with these words. */
function statementsWith(...words: string[]): () => Record<string, number> {
  const sent = Object.fromEntries(words.map((word) => [word, 0]));
  proxy.toServer = (bytes) => {
    const text = bytes.toString('latin1');
    for (const word of words) if (text.includes(word)) sent[word] = (sent[word] ?? 0) + 1;
    return bytes;
  };
  return () => sent;
}

/** Keeps the answers to statements with these words, until they are let go. */
function holdAnswersTo(words: string): { isAsked: Promise<void>; letGo(): void } {
  let letGo = () => {};
  const gate = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  let asked = () => {};
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  proxy.toClient = (bytes, link) => {
    if (!link.asked.includes(words)) return bytes;
    asked();
    void gate.then(() => link.give(bytes));
    return undefined;
  };
  return { isAsked, letGo };
}

describe('requests with keys that come at once', () => {
  it('are looked for by a few statements', async () => {
    const schedules = await many(40, async () => gateway.schedule(await gateway.register()));
    const sent = statementsWith('request_find', 'ledger_append');
    const change = { body: { schedule: { hour: 5 } } };
    const answers = await many(40, (n) => keyed(`find-${n}`, putSchedulesId, { id: schedules[n] ?? '', ...change }));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 202));
    expect(sent().request_find).toBeGreaterThan(0);
    expect(sent().request_find).toBeLessThan(20);
    expect(sent().ledger_append).toBeLessThan(20);
  });

  it('are not looked for where the append tells whether they have come before', async () => {
    const instances = await many(40, () => gateway.register());
    const sent = statementsWith('request_find', 'ledger_append');
    const made = await many(40, (n) => keyed(`made-${n}`, postSchedules, newSchedule(instances[n] ?? '')));
    expect(made.map(({ status }) => status)).toEqual(made.map(() => 202));
    const ids = (await Promise.all(instances.map(schedulesOf))).flat();
    const gone = await many(40, (n) => keyed(`gone-${n}`, deleteSchedulesId, { id: ids[n] ?? '' }));
    expect(gone.map(({ status }) => status)).toEqual(gone.map(() => 202));
    expect(sent().request_find).toBe(0);
    expect(sent().ledger_append).toBeLessThan(40);
  });

  it('are refused by a few statements, each with its own answer, and have it again', async () => {
    const sent = statementsWith('request_refuse');
    const ask = (n: number) => keyed(`refused-${n}`, deleteSchedulesId, { id: nothing.replace(/..$/, String(n + 10)) });
    const answers = await many(40, ask);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 404));
    expect(sent().request_refuse).toBeLessThan(20);
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(40);
    const again = await many(40, ask);
    expect(again.map(({ body }) => body)).toEqual(answers.map(({ body }) => body));
    expect(again.every(isReplayed)).toBe(true);
    expect(await howMany(`ledger_claim where key like '1234/refused-%' and stream = 'refusal'`)).toBe(40);
  });

  it('have one refusal for one key, however many bring it', async () => {
    const answers = await many(20, (n) => keyed(`shared-${n % 2}`, deleteSchedulesId, { id: nothing }));
    expect(answers.map(({ body }) => body)).toEqual(answers.map(() => answers[0]?.body));
    expect(await howMany(`idempotent_request where key like 'shared-%' and status = 404`)).toBe(2);
  });

  it('are each their own though another one of them is odd', async () => {
    const odd = { body: { schedule: { 'no \0 such \ud800 field': 1 } } };
    const ask = (n: number) => keyed(`odd-${n}`, postSchedules, n % 2 ? odd : newSchedule(nothing));
    const answers = await many(10, ask);
    expect(answers.map(({ status }) => status)).toEqual(answers.map((_, n) => (n % 2 ? 400 : 404)));
    expect((await many(10, ask)).map(({ body }) => body)).toEqual(answers.map(({ body }) => body));
  });

  it('are done once, though each comes twice', async () => {
    const instances = await many(10, () => gateway.register());
    const ask = (n: number) =>
      keyed(`either-${n}`, postBackups, { body: { backup: { name: 'x', instance: instances[n] } } });
    const twice = await many(20, (n) => ask(n % 10));
    expect(twice.map(({ status }) => status)).toEqual(twice.map(() => 202));
    expect(await howMany(`ledger_event where type = 'BackupRequested'`)).toBe(10);
  });
});

describe('a refusal whose answer is lost on its way from the database', () => {
  it('is a 503, and the same request has that refusal from then on', async () => {
    let lost = 0;
    proxy.toClient = (bytes, link) => {
      if (!link.asked.includes('request_refuse')) return bytes;
      lost += 1;
      link.cut();
      return undefined;
    };
    const first = await keyed('lost', deleteSchedulesId, { id: nothing });
    proxy.calm();
    expect([first.status, lost]).toEqual([503, 1]);
    const second = await keyed('lost', deleteSchedulesId, { id: nothing });
    expect([second.status, isReplayed(second)]).toEqual([404, true]);
  });
});

describe('a request that is worked at while its key is looked for', () => {
  it('appends nothing before the look has ended', async () => {
    const id = await gateway.schedule(await gateway.register());
    const changes = () => howMany(`ledger_event where stream = 'schedule-${id}' and type = 'ScheduleUpdated'`);
    const held = holdAnswersTo('request_find');
    const answer = keyed('held', putSchedulesId, { id, body: { schedule: { hour: 5 } } });
    await held.isAsked;
    const other = await gateway.schedule(await gateway.register());
    expect(await changes()).toBe(0);
    held.letGo();
    proxy.calm();
    expect((await answer).status).toBe(202);
    expect(await changes()).toBe(1);
    expect(other).toBeTruthy();
  });

  it('has its first answer again, though by now the work would be refused', async () => {
    const instance = await gateway.register();
    const one = await keyed('first', postSchedules, newSchedule(instance));
    const two = await keyed('first', postSchedules, newSchedule(instance));
    expect([two.status, two.body, isReplayed(two)]).toEqual([202, one.body, true]);
    const [id = ''] = await schedulesOf(instance);
    const change = () => keyed('changed', putSchedulesId, { id, body: { schedule: { hour: 5 } } });
    const remove = () => keyed('removed', deleteSchedulesId, { id });
    for (const call of [change, remove]) {
      const answers = [await call(), await call()];
      expect(answers.map(({ status }) => status)).toEqual([202, 202]);
      expect(answers.map(isReplayed)).toEqual([false, true]);
    }
    expect(await howMany(`ledger_event where stream = 'schedule-${id}'`)).toBe(3);
  });

  it('is refused when its key was another request’s, and does nothing', async () => {
    const [one = '', other = ''] = await many(2, () => gateway.register());
    await keyed('taken', postSchedules, newSchedule(one));
    expect(faultOf(await keyed('taken', postSchedules, newSchedule(other)))).toEqual([422, 'unprocessableEntity']);
    expect(await schedulesOf(other)).toEqual([]);
  });

  it('is done again when its key is forgotten after a day', async () => {
    const [one = '', other = ''] = await many(2, () => gateway.register());
    await keyed('old', postSchedules, newSchedule(one));
    await gateway.sql(`update idempotent_request set begun_at = now() - interval '26 hours' where key = 'old'`);
    expect((await keyed('old', postSchedules, newSchedule(other))).status).toBe(202);
    expect(await schedulesOf(other)).toHaveLength(1);
  });
});

describe('a request whose key has an answer of a request without an effect', () => {
  /** As such a request leaves it: nothing has taken the key. */
  const answered = (key: string, age: string) =>
    gateway.sql(
      `insert into idempotent_request (account_id, key, fingerprint, resource_id, status, body, begun_at)
       values ('1234', '${key}', 'of another', gen_random_uuid(), 200, '{}', now() - interval '${age}')`,
    );

  it('is refused, and does nothing, though it is not looked for; those beside it are done', async () => {
    const [one = '', other = '', id = ''] = await Promise.all([
      gateway.register(),
      gateway.register(),
      gateway.schedule(await gateway.register()),
    ]);
    await answered('answered-post', '1 hour');
    await answered('answered-delete', '1 hour');
    const answers = await Promise.all([
      keyed('answered-post', postSchedules, newSchedule(one)),
      keyed('answered-delete', deleteSchedulesId, { id }),
      keyed('beside', postSchedules, newSchedule(other)),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([422, 422, 202]);
    expect(answers.slice(0, 2).map(faultOf)).toEqual([1, 2].map(() => [422, 'unprocessableEntity']));
    expect([await schedulesOf(one), await schedulesOf(other)].map(({ length }) => length)).toEqual([0, 1]);
    expect(await howMany(`ledger_event where stream = 'schedule-${id}'`)).toBe(1);
    expect(await howMany(`ledger_claim where key like '1234/answered-%'`)).toBe(0);
  });

  it('is done when that answer is forgotten after a day', async () => {
    const instance = await gateway.register();
    await answered('answered-old', '26 hours');
    expect((await keyed('answered-old', postSchedules, newSchedule(instance))).status).toBe(202);
    expect(await schedulesOf(instance)).toHaveLength(1);
  });

  it('is refused anew when it is refused by itself, and its old answer is forgotten', async () => {
    await answered('refused-old', '26 hours');
    const ask = () => keyed('refused-old', deleteSchedulesId, { id: nothing });
    const answers = [await ask(), await ask()];
    expect(answers.map(({ status }) => status)).toEqual([404, 404]);
    expect(answers.map(isReplayed)).toEqual([false, true]);
  });
});
