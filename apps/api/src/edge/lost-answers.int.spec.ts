import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Answer } from '@strongroom/client';
import {
  deleteInstancesId,
  deleteSchedulesId,
  getBackups,
  getEvents,
  getSchedules,
  type Operation,
  pathOf,
  postBackups,
  postInstances,
  postSchedules,
  putSchedulesId,
} from '@strongroom/contracts';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../../../test/services/database.js';
import { eventually } from '../../../../test/services/eventually.js';
import { type Link, WireProxy } from '../../../../test/services/wire-proxy.js';
import { faultIn, outcomeIn } from '../../fixtures/answers.js';
import { accountId, type Call, Gateway } from '../../fixtures/gateway.js';

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

const instance = {
  name: 'orders',
  datastore: { type: 'postgresql', version: '18' },
  connection: { host: 'db', port: 5432, user: 'backup', password: 'sesame' },
};
const timing = { action: 'backup', day_of_week: 0, hour: 14, minute: 30 };

/** A request that changes something, and how to see whether it did. */
interface Change {
  what: string;
  /** Makes what the request is about. @returns its id */
  prepare(): Promise<string>;
  operation: Operation;
  call(id: string): Call;
}

const changes: Change[] = [
  {
    what: 'registers an instance',
    prepare: async () => '',
    operation: postInstances,
    call: () => ({ body: { instance } }),
  },
  {
    what: 'makes a schedule',
    prepare: () => gateway.register(),
    operation: postSchedules,
    call: (id) => ({ body: { schedule: { ...timing, instance_id: id } } }),
  },
  {
    what: 'takes a backup',
    prepare: () => gateway.register(),
    operation: postBackups,
    call: (id) => ({ body: { backup: { name: 'x', instance: id } } }),
  },
  {
    what: 'changes a schedule',
    prepare: async () => gateway.schedule(await gateway.register()),
    operation: putSchedulesId,
    call: (id) => ({ id, body: { schedule: { hour: 3 } } }),
  },
  {
    what: 'runs a schedule now',
    prepare: async () => gateway.schedule(await gateway.register()),
    operation: putSchedulesId,
    call: (id) => ({ id, body: { schedule: { run_now: true } } }),
  },
  {
    what: 'deletes a schedule',
    prepare: async () => gateway.schedule(await gateway.register()),
    operation: deleteSchedulesId,
    call: (id) => ({ id }),
  },
  {
    what: 'forgets an instance with its schedule',
    prepare: async () => {
      const id = await gateway.register();
      await gateway.schedule(id);
      return id;
    },
    operation: deleteInstancesId,
    call: (id) => ({ id }),
  },
];

/** What may happen to one answer of the database. */
const accidents: [string, (bytes: Buffer, link: Link) => Buffer | undefined][] = [
  [
    'is lost with its connection',
    (_, link) => {
      link.cut();
      return undefined;
    },
  ],
  [
    'is cut in the middle',
    (bytes, link) => {
      link.cut(bytes.subarray(0, Math.ceil(bytes.length / 2)));
      return undefined;
    },
  ],
  [
    'comes with the end of the session behind it',
    (bytes, link) => {
      link.end(bytes);
      return undefined;
    },
  ],
];

/** Lets one accident happen to the database's n-th answer from now on, and all else pass. */
function happenAt(nth: number, accident: (bytes: Buffer, link: Link) => Buffer | undefined): () => boolean {
  let seen = 0;
  proxy.toClient = (bytes, link) => {
    // The connection that listens for appends answers nobody.
    if (/listen strongroom_ledger/.test(link.asked)) return bytes;
    seen += 1;
    return seen === nth ? accident(bytes, link) : bytes;
  };
  return () => seen >= nth;
}

const counted = z.tuple([z.object({ count: z.int() })]);
/** They are counted and not read: this is asked hundreds of times. */
const eventsNow = async () =>
  counted.parse(await gateway.sql('select count(*)::int as count from ledger_event'))[0].count;

async function judge(answer: Answer, before: number): Promise<void> {
  const written = (await eventsNow()) - before;
  expect(answer.status).not.toBe(500);
  if (answer.status < 300) return expect(written).toBeGreaterThan(0);
  if (answer.status === 503 && outcomeIn(answer.body) === 'unknown') return;
  expect([answer.status, answer.body, written]).toEqual([answer.status, answer.body, 0]);
}

describe.each(changes)('a request that $what', ({ prepare, operation, call }) => {
  it.each(accidents)('has a true answer, whichever answer of the database %s', async (_, accident) => {
    let statuses = '';
    for (let nth = 1; ; nth += 1) {
      proxy.calm();
      const id = await prepare();
      const before = await eventsNow();
      const happened = happenAt(nth, accident);
      const answer = await gateway.call(operation, call(id));
      proxy.calm();
      await judge(answer, before);
      statuses += `${answer.status} `;
      if (!happened()) break;
    }
    // One lost answer leaves no doubt: the gateway asks the ledger again over another connection.
    expect(statuses).toMatch(/^((503|200|202) )+$/);
  });

  it('is done, and says so, when the answer of its commit alone was lost', async () => {
    const id = await prepare();
    const before = await eventsNow();
    let lost = 0;
    onCommit((bytes, link) => {
      lost += 1;
      if (lost > 1) return bytes;
      link.cut();
      return undefined;
    });
    const answer = await gateway.call(operation, call(id));
    proxy.calm();
    expect(answer.status).toBe(operation.status);
    expect(lost).toBeGreaterThan(0);
    expect((await eventsNow()) - before).toBeGreaterThan(0);
  });

  it('is answered though nothing can be read any more after its commit', async () => {
    const id = await prepare();
    let written = false;
    onCommit((bytes) => {
      written = true;
      return bytes;
    });
    proxy.toServer = (bytes, link) => {
      if (!written) return bytes;
      link.cut();
      return undefined;
    };
    const answer = await gateway.call(operation, call(id));
    proxy.calm();
    expect([answer.status, written]).toEqual([operation.status, true]);
  });
});

/** Says what becomes of the answers by which the server tells that events were committed. */
function onCommit(become: (bytes: Buffer, link: Link) => Buffer | undefined): void {
  const inTransaction = new WeakSet<Link>();
  const withEvents = new WeakSet<Link>();
  proxy.toClient = (bytes, link) => {
    const { asked } = link;
    if (/START TRANSACTION/.test(asked)) inTransaction.add(link);
    if (/ledger_append/.test(asked)) withEvents.add(link);
    const isOver = /COMMIT|ROLLBACK/.test(asked);
    if (isOver) inTransaction.delete(link);
    if (inTransaction.has(link) || !withEvents.has(link)) return bytes;
    withEvents.delete(link);
    return become(bytes, link);
  };
}

describe('thirty who make a schedule of one instance at once', () => {
  it('are told of one schedule, though every read of the views fails', async () => {
    const id = await gateway.register();
    proxy.toServer = (bytes, link) => {
      if (!/_view|view_head/.test(bytes.toString('latin1'))) return bytes;
      link.cut();
      return undefined;
    };
    const body = { schedule: { ...timing, instance_id: id } };
    const answers = await Promise.all(Array.from({ length: 30 }, () => gateway.call(postSchedules, { body })));
    proxy.calm();
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([202, ...Array.from({ length: 29 }, () => 422)]);
    const [made] = answers.filter(({ status }) => status === 202);
    const [listed, ...more] = await gateway.ids(getSchedules, { query: { instance_id: id } });
    expect(more).toEqual([]);
    expect(made?.body).toMatchObject({ schedule: { id: listed, instance_id: id, version: 1, running: 0 } });
  });
});

describe('a connection that is being made', () => {
  it.each([1, 2, 3, 4])('may end behind its answer %i: that ends the request, and not the process', async (nth) => {
    const id = await gateway.register();
    const seen = new WeakMap<Link, number>();
    const known = new WeakSet<Link>();
    let ended = 0;
    // The connections of the pool go, so that each request needs a new one.
    proxy.toServer = (bytes, link) => {
      if (seen.has(link) || bytes.includes('client_encoding')) return bytes;
      known.add(link);
      link.cut();
      return undefined;
    };
    proxy.toClient = (bytes, link) => {
      if (known.has(link)) return bytes;
      const answers = (seen.get(link) ?? 0) + 1;
      seen.set(link, answers);
      if (answers !== nth) return bytes;
      ended += 1;
      link.end(bytes);
      return undefined;
    };
    const body = { backup: { name: 'x', instance: id } };
    // How many connections the pool has at first depends on what came before.
    for (let round = 0; round < 10 || (ended === 0 && round < 100); round += 1) {
      const answers = await Promise.all(Array.from({ length: 4 }, () => gateway.call(postBackups, { body })));
      for (const { status } of answers) expect([202, 422, 503]).toContain(status);
    }
    proxy.calm();
    expect(ended).toBeGreaterThan(0);
    await eventually(async () => expect((await gateway.call(getBackups)).status).toBe(200), { withinMs: 10_000 });
  });
});

describe('an outcome that stays unknown', () => {
  /** The append arrives, its answer is lost, and the database is gone for everybody from then on. */
  const loseAll = () => {
    let gone = false;
    proxy.toClient = (bytes, link) => {
      if (!gone && !/ledger_append/.test(link.asked)) return bytes;
      gone = true;
      link.cut();
      return undefined;
    };
    proxy.toServer = (bytes, link) => {
      if (!gone) return bytes;
      link.cut();
      return undefined;
    };
  };

  it('is a 503 that says so, and names the resource, the list, the events and the key by which to find out', async () => {
    const id = await gateway.register();
    loseAll();
    const body = { backup: { name: 'x', instance: id } };
    const answer = await gateway.call(postBackups, { body, requestId: 'lost-one' });
    proxy.calm();
    expect([answer.status, outcomeIn(answer.body)]).toEqual([503, 'unknown']);
    const { details = '' } = faultIn(answer.body);
    const [made = ''] = await gateway.ids(getBackups, { query: { instance_id: id } });
    const list = pathOf(getBackups, { accountId });
    expect(details).toContain(`GET ${list}/${made} shows what it made`);
    expect(details).toContain(`the list GET ${list} has it`);
    const events = pathOf(getEvents, { accountId });
    const requestId = answer.headers.get('x-request-id') ?? '';
    expect(details).toContain(`GET ${events} lists what was recorded, with request_id ${requestId}`);
    expect((await gateway.events()).at(-1)?.context).toMatchObject({ requestId, clientRequestId: 'lost-one' });
  });

  it('is found out by the same request with its key, which does nothing twice and gives the first answer', async () => {
    const registered = async () => (await gateway.events()).filter(({ type }) => type === 'InstanceRegistered').length;
    const before = await registered();
    loseAll();
    const ask = () => gateway.call(postInstances, { idempotencyKey: 'lost', body: { instance } });
    const first = await ask();
    proxy.calm();
    expect([first.status, outcomeIn(first.body)]).toEqual([503, 'unknown']);
    expect(faultIn(first.body).details).toContain('Send it again with the same Idempotency-Key');
    const second = await ask();
    expect([second.status, await registered()]).toEqual([200, before + 1]);
    const third = await ask();
    expect([third.status, third.body]).toEqual([200, second.body]);
  });
});
