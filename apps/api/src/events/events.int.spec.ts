import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Client, type FollowOptions } from '@strongroom/client';
import { getEvents, pathOf, postSchedules } from '@strongroom/contracts';
import { z } from 'zod';
import { allOf } from '../../../../test/services/all-of.js';
import { eventually } from '../../../../test/services/eventually.js';
import { faultIn, faultOf, nothing } from '../../fixtures/answers.js';
import { accountId, type Call, Gateway } from '../../fixtures/gateway.js';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open();
});
afterAll(() => gateway.close());

const asStream = { accept: 'text/event-stream' };
const page = z.object({
  events: z.array(z.looseObject({ id: z.string(), type: z.string(), subject: z.looseObject({ id: z.string() }) })),
  links: z.array(z.object({ href: z.string() })),
});
const list = async (query: Call['query'] = {}) => page.parse((await gateway.call(getEvents, { query })).body);

describe('the list of events', () => {
  it('is of the account alone, oldest first, each with the request that led to it', async () => {
    const instance = await gateway.register('admin');
    await gateway.register('other', { name: 'a secret of the other' });
    await gateway.call(postSchedules, {
      requestId: 'my-own-id',
      body: { schedule: { action: 'backup', day_of_week: 0, hour: 1, minute: 2, instance_id: instance } },
    });
    const { events } = await list();
    expect(events).toMatchObject([
      { type: 'InstanceRegistered', subject: { kind: 'instance', id: instance }, version: 1, actor: 'admin' },
      {
        type: 'ScheduleCreated',
        subject: { kind: 'schedule' },
        instance_id: instance,
        client_request_id: 'my-own-id',
        request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        actor_details: { kind: 'user', id: 'admin', name: 'admin', domain: null, address: '127.0.0.1' },
        data: { hour: 1, minute: 2, instanceId: instance },
      },
    ]);
    expect(JSON.stringify(events)).not.toMatch(/secret|open sesame/);
  });

  it('goes on after a marker, page by page', async () => {
    for (let n = 0; n < 5; n += 1) await gateway.register();
    const whole = (await list()).events.map(({ id }) => id);
    const seen: string[] = [];
    for await (const { events } of gateway.client().pages(getEvents, { query: { limit: 2 } })) {
      expect(events.length).toBeLessThanOrEqual(2);
      seen.push(...events.map(({ id }) => id));
    }
    expect(seen).toEqual(whole);
    expect((await list({ marker: whole.at(-1) })).events).toEqual([]);
  });

  it('knows no marker but the id of an event of the account', async () => {
    const ofOther = page.parse((await gateway.call(getEvents, { as: 'other' })).body).events[0]?.id;
    for (const marker of ['nothing', nothing, ofOther]) {
      const answer = await gateway.call(getEvents, { query: { marker } });
      expect(faultOf(answer)).toEqual([400, 'badRequest']);
    }
  });
});

interface Told {
  id: string;
  event: string;
  data: string;
}

/** A client of the stream that works as a browser's EventSource does. */
class Listener {
  readonly told: Told[] = [];
  lastId: string | undefined;
  private readonly closing = new AbortController();
  private buffered = '';

  static async open({ headers, query }: Pick<Call, 'headers' | 'query'> = {}): Promise<Listener> {
    const listener = new Listener();
    const response = await gateway.client().open(getEvents, {
      query,
      headers: { ...asStream, ...headers },
      signal: listener.closing.signal,
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(response.headers.get('x-request-id')).toBeTruthy();
    void listener.read(response).catch(() => {});
    await eventually(() => expect(listener.lastId).toBeDefined(), { withinMs: 10_000 });
    return listener;
  }

  close(): void {
    this.closing.abort();
  }

  private async read(response: Response): Promise<void> {
    for await (const chunk of response.body ?? []) {
      this.buffered += Buffer.from(chunk).toString();
      const blocks = this.buffered.split('\n\n');
      this.buffered = blocks.pop() ?? '';
      for (const block of blocks) this.take(block);
    }
  }

  private take(block: string): void {
    const fields = new Map(block.split('\n').map((line) => [line.split(': ')[0], line.slice(line.indexOf(': ') + 2)]));
    this.lastId = fields.get('id') ?? this.lastId;
    const data = fields.get('data');
    if (data !== undefined) this.told.push({ id: fields.get('id') ?? '', event: fields.get('event') ?? '', data });
  }
}

describe('the events since an instant', () => {
  const since = '2026-03-01T12:00:00.000Z';
  /** When they happened, in seconds after the instant. */
  const seconds = [...Array.from({ length: 300 }, (_, n) => n - 90_000), -61, -60, -30, -1, 0, 0, 1, 500];
  const own = { accountId: 'aged', token: 'of-aged' };
  let aged: Gateway;
  let client: Client;
  let all: string[];

  beforeAll(async () => {
    aged = await Gateway.open({
      tokens: { [own.token]: { name: 'aged', accountId: own.accountId, roles: ['observer'] } },
    });
    const context = { requestId: 'spec', correlationId: 'spec', causationId: null, actor: 'spec' };
    const rows: unknown = await aged.dataSource.query(
      `insert into ledger_event (id, stream, version, aggregate, type, account_id, instance_id, at, data, context)
       select gen_random_uuid(), 'instance-' || id, 1, 'instance', 'InstanceForgotten', $1, id, at, jsonb_build_object('instanceId', id), $4
       from (select $2::timestamptz + each * interval '1 second' as at, gen_random_uuid() as id from unnest($3::integer[]) as given(each)) made
       returning id`,
      [own.accountId, since, seconds, context],
    );
    all = z
      .array(z.object({ id: z.string() }))
      .parse(rows)
      .map(({ id }) => id);
    client = new Client({ baseUrl: aged.url, ...own });
  });
  afterAll(() => aged?.close());

  /** The ids of the first events that a stream tells. */
  const streamed = async (options: FollowOptions & { since?: string }, count: number) => {
    const ids: string[] = [];
    for await (const { id } of client.events.follow(options)) {
      ids.push(id);
      if (ids.length === count) break;
    }
    return ids;
  };
  /** Those since the instant, with those of the minute before. */
  const expected = () => all.slice(301);

  it('are listed and streamed without those that came earlier, but for a minute', async () => {
    expect(await allOf(client.events.list({ since, limit: 2 })).then((found) => found.map(({ id }) => id))).toEqual(
      expected(),
    );
    expect(await streamed({ since }, expected().length)).toEqual(expected());
    const first = '2026-01-01T00:00:00Z';
    expect(await streamed({ since: first }, 2)).toEqual(all.slice(0, 2));
    expect(await allOf(client.events.list({ since: '2026-03-02T00:00:00+01:00' }))).toEqual([]);
  });

  it('go on after what a client has seen, whatever the instant', async () => {
    const [seen = ''] = all.slice(10);
    expect(await streamed({ since, after: seen }, 2)).toEqual(all.slice(11, 13));
    const [next] = await allOf(client.events.list({ since, marker: all.at(-2) }));
    expect(next?.id).toBe(all.at(-1));
  });

  it.each(['yesterday', '2026-03-01', '2026-03-01T12:00:00', ''])(
    'are a 400 that says what an instant is: %j',
    async (wrong) => {
      for (const headers of [{}, asStream]) {
        const answer = await gateway.call(getEvents, { query: { since: wrong }, headers });
        expect(faultOf(answer)).toEqual([400, 'badRequest']);
        expect(faultIn(answer.body).message).toMatch(/^since: ".*" is no instant of RFC 3339 with a zone/);
      }
    },
  );
});

describe('the stream of events', () => {
  const listeners: Listener[] = [];
  const listen = async (call: Pick<Call, 'headers' | 'query'> = {}) => {
    const listener = await Listener.open(call);
    listeners.push(listener);
    return listener;
  };
  afterEach(() => {
    for (const listener of listeners.splice(0)) listener.close();
  });
  const heard = (listener: Listener, count: number) =>
    eventually(() => expect(listener.told).toHaveLength(count), { withinMs: 10_000 });

  it('tells of each event as it happens, and of none before or of another account', async () => {
    const listener = await listen();
    const instance = await gateway.register();
    await gateway.register('other');
    const schedule = await gateway.schedule(instance);
    await heard(listener, 2);
    expect(listener.told.map(({ event }) => event)).toEqual(['InstanceRegistered', 'ScheduleCreated']);
    expect(JSON.parse(listener.told[1]?.data ?? '')).toMatchObject({ subject: { id: schedule } });
  });

  it('goes on after the last event seen, with none lost or repeated, also when none was seen', async () => {
    const whole = (await list({ limit: 100 })).events.length;
    const first = await listen();
    first.close();
    await gateway.register();
    const second = await listen({ headers: { 'last-event-id': first.lastId ?? '' } });
    await heard(second, 1);
    second.close();
    await gateway.register();
    await gateway.register();
    const third = await listen({ headers: { 'last-event-id': second.lastId ?? '' } });
    await heard(third, 2);
    const all = (await list({ limit: 100 })).events.map(({ id }) => id);
    expect([...second.told, ...third.told].map(({ id }) => id)).toEqual(all.slice(whole));
  });

  it('begins at the beginning when asked to, and tells all of it', async () => {
    for (let n = 0; n < 120; n += 10) await Promise.all(Array.from({ length: 10 }, () => gateway.register()));
    const listener = await listen({ query: { marker: '0' } });
    const whole: string[] = [];
    for (let marker = '0'; ; ) {
      const { events } = await list({ marker });
      if (events.length === 0) break;
      whole.push(...events.map(({ id }) => id));
      marker = whole.at(-1) ?? '';
    }
    await heard(listener, whole.length);
    expect(listener.told.map(({ id }) => id)).toEqual(whole);
  });

  it('waits while the database is away, and then goes on', async () => {
    const listener = await listen();
    await gateway.database.cut();
    await gateway.database.restore();
    await eventually(() => gateway.register(), { withinMs: 20_000 });
    await heard(listener, 1);
  }, 40_000);

  it('needs a token, and one of its account', async () => {
    for (const [as, status] of [
      ['nobody', 401],
      ['other', 403],
    ] as const) {
      const answer = await gateway.call(getEvents, { as, account: accountId, headers: asStream });
      expect(answer.status).toBe(status);
    }
  });

  it('is asked for by HEAD as by GET, and answered at once, without a body', async () => {
    const path = pathOf(getEvents, { accountId });
    for (let n = 0; n < 21; n += 1) {
      const answer = await gateway.request('HEAD', path, { headers: asStream });
      expect(answer).toMatchObject({ status: 200, body: undefined });
      expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    }
    expect((await gateway.request('HEAD', `${path}?marker=nothing`, { headers: asStream })).status).toBe(400);
    expect((await gateway.request('HEAD', path, { headers: asStream, as: 'nobody' })).status).toBe(401);
    // A HEAD holds none of the account's places.
    await listen();
  });

  it('is open only so many times for an account', async () => {
    for (let n = 0; n < 20; n += 1) await listen();
    const answer = await gateway.call(getEvents, { headers: asStream });
    expect(faultOf(answer)).toEqual([413, 'overLimit']);
    expect(answer.headers.get('retry-after')).toBe('60');
  });
});
