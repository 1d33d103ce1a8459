import { describe, expect, it } from '@jest/globals';
import { deleteSchedulesId, getBackups, getHealthReady, getSchedules, getSchedulesId } from '@strongroom/contracts';
import { allOf } from '../../../test/services/all-of.js';
import { ApiFault } from './api-fault.js';
import { Client } from './client.js';

const id = '44b277eb-39be-4921-be31-3d61b43651d7';
const schedule = {
  action: 'backup',
  created: '2020-11-14T07:28:17',
  day_of_month: null,
  day_of_week: 0,
  full_backup_retention: 2,
  hour: 14,
  id,
  instance_id: id,
  last_scheduled: null,
  minute: 30,
  month: null,
  next_run: '2020-11-14T14:30:00',
  running: 0,
  source: { id, type: 'instance' },
  updated: '2020-11-14T07:28:17',
  copy_to: ['IAD'],
  paused: false,
  pause_reason: null,
  version: 1,
};

function backupOf(backupId: string) {
  return {
    id: backupId,
    name: 'by hand',
    description: null,
    status: 'NEW',
    created: '2026-11-14T14:30:00.000Z',
    updated: '2026-11-14T14:30:00.000Z',
    instance_id: id,
    source: { id, type: 'instance' },
    parent_id: null,
    size: null,
    size_bytes: null,
    locationRef: null,
    datastore: { type: 'postgresql', version: '18', version_id: id },
    is_automated: 0,
    type: 'full',
    schedule_id: null,
    checksum: null,
    made_full: null,
    full_because: null,
    lineage: null,
    another_server: null,
    encrypted_for: null,
    warnings: [],
    progress: 0,
    attempt: 0,
    fault: null,
    retry_at: null,
    retry_until: null,
    failed_attempts: [],
    delays: [],
    not_deleted_because: null,
    deleted: null,
    hold: null,
    keep_until: null,
    started: null,
    completed: null,
    copies: [],
  };
}

interface Sent {
  method: string;
  url: string;
  headers: Headers;
  body: string | undefined;
}

/** A client whose requests get these answers, one after another, and the requests that it has sent. */
function clientOf(...answers: (Response | Error)[]): { client: Client; sent: Sent[] } {
  const sent: Sent[] = [];
  const client = new Client({
    baseUrl: 'http://strongroom.test/prefix/',
    accountId: 'acme',
    token: 'secret',
    fetch: async (url, { method = '', headers, body } = {}) => {
      sent.push({ method, url: String(url), headers: new Headers(headers), body: body?.toString() });
      const answer = answers.shift();
      if (answer instanceof Response) return answer;
      throw answer ?? new Error('there was one request too many');
    },
  });
  return { client, sent };
}

const json = (body: unknown, status = 200, headers = {}) => Response.json(body, { status, headers });

async function faultOf(call: Promise<unknown>): Promise<ApiFault> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof ApiFault) return error;
  throw new Error('the call threw no fault', { cause: error });
}

describe('a call', () => {
  it('goes to the path of its operation, with the token, the query and the other options', async () => {
    const { client, sent } = clientOf(json({ backups: [], links: [] }));
    const query = { limit: 5, status: 'COMPLETED', marker: undefined };
    await client.call(getBackups, { query, requestId: 'req-1', headers: { 'x-more': '1' } });
    expect(sent).toEqual([
      {
        method: 'GET',
        url: 'http://strongroom.test/prefix/v1.0/acme/backups?limit=5&status=COMPLETED',
        headers: new Headers({ 'x-auth-token': 'secret', 'x-request-id': 'req-1', 'x-more': '1' }),
        body: undefined,
      },
    ]);
  });

  it('sends a body as JSON, and the key that makes it happen once', async () => {
    const { client, sent } = clientOf(json({ schedule }, 202));
    const asked = { action: 'backup', instance_id: id, day_of_week: 0, hour: 3, minute: 30 } as const;
    await expect(client.schedules.create(asked, { idempotencyKey: 'k' })).resolves.toEqual(schedule);
    expect(JSON.parse(sent[0]?.body ?? '')).toEqual({ schedule: asked });
    expect(Object.fromEntries(sent[0]?.headers ?? [])).toMatchObject({
      'content-type': 'application/json',
      'idempotency-key': 'k',
    });
  });

  it('gives the ETag that was read, and sends it with the change', async () => {
    const { client, sent } = clientOf(json({ schedule }, 200, { etag: '"1"' }), new Response('', { status: 202 }));
    const { headers, body } = await client.call(getSchedulesId, { id });
    await client.schedules.delete(body.schedule.id, { ifMatch: headers.get('etag') ?? '' });
    expect(sent.map(({ method, url }) => `${method} ${new URL(url).pathname}`)).toEqual([
      `GET /prefix/v1.0/acme/schedules/${id}`,
      `DELETE /prefix/v1.0/acme/schedules/${id}`,
    ]);
    expect(sent[1]?.headers.get('if-match')).toBe('"1"');
  });

  it('ignores unknown fields, and refuses an answer with a field of the wrong form', async () => {
    const { client } = clientOf(
      json({ schedule: { ...schedule, colour: 'red' }, more: true }),
      json({ schedule: { ...schedule, hour: '14' } }, 200, { 'x-request-id': 'req-7' }),
    );
    await expect(client.schedules.get(id)).resolves.toEqual(schedule);
    const fault = await faultOf(client.schedules.get(id));
    expect(fault).toMatchObject({ status: 200, code: 'foreign-answer', requestId: 'req-7' });
    expect(fault.cause).toBeDefined();
  });

  it('passes on a value that only a newer service has', async () => {
    const backup = {
      ...backupOf(id),
      status: 'PAUSED',
      copies: [{ region: 'IAD', status: 'QUEUED' }],
    };
    const { client } = clientOf(
      json({ backups: [{ ...backupOf(id), status: 'PAUSED' }], links: [] }),
      json({ backup }),
    );
    expect(await allOf(client.backups.list())).toMatchObject([{ id, status: 'PAUSED' }]);
    // Whatever else is wrong with an answer is still refused: this copy lacks nearly every field.
    expect(await faultOf(client.backups.get(id))).toMatchObject({ code: 'foreign-answer' });
  });

  it('gives an answer without a schema as it came', async () => {
    const { client } = clientOf(json({ status: 'ok' }), new Response('', { status: 202 }));
    expect((await client.call(getHealthReady)).body).toEqual({ status: 'ok' });
    expect((await client.call(deleteSchedulesId, { id })).body).toBeUndefined();
  });

  it('throws the fault of the contract, and says when to ask again and under which id the log tells of it', async () => {
    const body = { serviceUnavailable: { code: 503, message: 'The database does not answer.' } };
    const { client } = clientOf(json(body, 503, { 'retry-after': '5', 'x-request-id': 'req-2' }));
    expect(await faultOf(client.schedules.get(id))).toMatchObject({
      name: 'ApiFault',
      status: 503,
      code: 'serviceUnavailable',
      retryAfterSeconds: 5,
      requestId: 'req-2',
      message:
        'GET /v1.0/{accountId}/schedules/{id} was answered 503 serviceUnavailable: The database does not answer.',
    });
  });

  it.each([
    ['a page of a proxy', new Response('<h1>Bad gateway</h1>', { status: 502 })],
    ['JSON that is none', new Response('{', { status: 500, headers: { 'content-type': 'application/json' } })],
    ['a success of another kind', new Response(null, { status: 204 })],
    ['a redirect, which would get the token', new Response(null, { status: 302, headers: { location: 'http://x' } })],
  ])('is a fault of a foreign answer when that is %s', async (_, answer) => {
    const { client } = clientOf(answer);
    expect(await faultOf(client.schedules.get(id))).toMatchObject({ status: answer.status, code: 'foreign-answer' });
  });

  it('is worth another attempt when a proxy says that the service is away', async () => {
    const { client } = clientOf(
      new Response('<h1>Bad gateway</h1>', { status: 502 }),
      new Response('', { status: 500 }),
    );
    expect(await faultOf(client.schedules.get(id))).toMatchObject({ code: 'foreign-answer', retryable: true });
    expect(await faultOf(client.schedules.get(id))).toMatchObject({ code: 'foreign-answer', retryable: false });
  });

  it('passes on that the connection was cut within an answer', async () => {
    const body = new ReadableStream({ start: (controller) => controller.error(new TypeError('terminated')) });
    const { client } = clientOf(new Response(body, { headers: { 'content-type': 'application/json' } }));
    await expect(client.schedules.get(id)).rejects.toThrow('terminated');
  });

  it('is not made with a token that no header can carry, which the error does not tell', () => {
    const made = () => new Client({ baseUrl: 'http://strongroom.test', accountId: 'acme', token: 'sec\nret' });
    expect(made).toThrow(TypeError);
    expect(made).not.toThrow(/sec|ret/);
  });

  it('passes on that the service cannot be reached', async () => {
    const { client } = clientOf(new TypeError('fetch failed'));
    await expect(client.schedules.get(id)).rejects.toThrow('fetch failed');
  });

  it.each(['', '..'])('is not sent with an id that would lead to another path: "%s"', async (wrong) => {
    const { client, sent } = clientOf();
    await expect(client.schedules.delete(wrong)).rejects.toThrow(TypeError);
    expect(sent).toEqual([]);
  });
});

describe('a list', () => {
  const page = (ids: string[], next?: string) =>
    json({
      schedules: ids.map((each) => ({ ...schedule, id: each })),
      links: next === undefined ? [] : [{ rel: 'next', href: `https://elsewhere.test/x?marker=${next}&limit=2` }],
    });

  it('is read page by page to its end, from the service that was asked first', async () => {
    const { client, sent } = clientOf(page(['a', 'b'], 'b'), page(['c', 'd'], 'd'), page(['e']));
    const listed = await allOf(client.schedules.list({ limit: 2, instance_id: id }));
    expect(listed.map((each) => each.id)).toEqual(['a', 'b', 'c', 'd', 'e']);
    const base = `http://strongroom.test/prefix/v1.0/acme/schedules?limit=2&instance_id=${id}`;
    expect(sent.map(({ url }) => url)).toEqual([base, `${base}&marker=b`, `${base}&marker=d`]);
  });

  it('ends with a fault when the link to the next page has no marker, which would begin again', async () => {
    const { client } = clientOf(json({ schedules: [], links: [{ rel: 'next', href: 'http://strongroom.test/x' }] }));
    await expect(allOf(client.schedules.list())).rejects.toMatchObject({ code: 'foreign-answer' });
  });

  it('asks for no page that nobody reads', async () => {
    const { client, sent } = clientOf(page(['a', 'b'], 'b'));
    for await (const { schedules } of client.pages(getSchedules)) {
      expect(schedules).toHaveLength(2);
      break;
    }
    expect(sent).toHaveLength(1);
  });
});

describe('the stream of events', () => {
  const event = (eventId: string) => ({
    id: eventId,
    type: 'ScheduleDeleted',
    at: '2026-11-14T14:30:00.000Z',
    subject: { kind: 'schedule', id },
    version: 2,
    instance_id: id,
    data: {},
    request_id: 'r',
    correlation_id: 'r',
    causation_id: null,
    actor: 'spec',
    actor_details: null,
    reason: null,
    client_request_id: null,
    client_correlation_id: null,
  });
  const begin = 'retry: 1\nid: 0\n\n';
  const told = (...ids: string[]) =>
    ids.map((each) => `id: ${each}\ndata: ${JSON.stringify(event(each))}\n\n`).join('');
  const stream = (text: string) => new Response(text, { headers: { 'content-type': 'text/event-stream' } });
  const unavailable = (headers = {}) =>
    json({ serviceUnavailable: { code: 503, message: 'The gateway is stopping.' } }, 503, headers);

  /** The ids of as many events as are asked for. */
  async function follow(client: Client, count: number, after?: string): Promise<string[]> {
    const ids: string[] = [];
    for await (const each of client.events.follow({ after })) {
      ids.push(each.id);
      if (ids.length === count) break;
    }
    return ids;
  }

  it('goes on after the last event when its connection ends, whether it ends well or not', async () => {
    const { client, sent } = clientOf(
      stream(begin + told('a', 'b')),
      new TypeError('fetch failed'),
      unavailable({ 'retry-after': '0' }),
      stream(`${told('c')}id: d\ndata: cut o`),
      stream(told('d')),
    );
    expect(await follow(client, 4)).toEqual(['a', 'b', 'c', 'd']);
    expect(sent.map(({ headers }) => headers.get('last-event-id'))).toEqual([null, 'b', 'b', 'b', 'c']);
    expect(sent.every(({ headers }) => headers.get('accept') === 'text/event-stream')).toBe(true);
  });

  it('begins where it is told to', async () => {
    const { client, sent } = clientOf(stream(told('a')));
    expect(await follow(client, 1, '0')).toEqual(['a']);
    expect(sent[0]?.headers.get('last-event-id')).toBe('0');
  });

  it('begins at an instant, also where the service is too old to know it, and goes on after what was seen', async () => {
    const { client, sent } = clientOf(stream(`retry: 1\nid: x\n\n`), stream(told('a')));
    const first = await client.events.follow({ since: '2026-11-14T14:30:00Z' }).next();
    expect(first.value?.id).toBe('a');
    const asked = sent.map(({ url, headers }) => [
      new URL(url).searchParams.get('since'),
      headers.get('last-event-id'),
    ]);
    expect(asked).toEqual([
      ['2026-11-14T14:30:00Z', '0'],
      ['2026-11-14T14:30:00Z', 'x'],
    ]);
  });

  it('ends with a fault when the token is no longer valid', async () => {
    const fault = json({ unauthorized: { code: 401, message: 'The token is not valid.' } }, 401);
    const { client } = clientOf(stream(begin + told('a')), fault);
    await expect(follow(client, 2)).rejects.toMatchObject({ code: 'unauthorized' });
  });

  it('does not try again what has never begun', async () => {
    const { client } = clientOf(unavailable({ 'retry-after': '0' }));
    await expect(follow(client, 1)).rejects.toMatchObject({ code: 'serviceUnavailable' });
    const away = clientOf(new TypeError('fetch failed'));
    await expect(follow(away.client, 1)).rejects.toThrow('fetch failed');
  });

  it('passes on an event of a type that only a newer service has', async () => {
    const newer = { ...event('b'), type: 'DrillPassed', subject: { kind: 'drill', id }, data: { seconds: 5 } };
    const { client } = clientOf(
      stream(`${begin}${told('a')}id: b\ndata: ${JSON.stringify(newer)}\n\n${told('c')}`),
      json({ events: [event('a'), newer], links: [] }),
    );
    const seen: unknown[] = [];
    for await (const each of client.events.follow()) {
      seen.push(each);
      if (seen.length === 3) break;
    }
    expect(seen).toEqual([event('a'), newer, event('c')]);
    expect(await allOf(client.events.list())).toEqual([event('a'), newer]);
  });

  it('tells that the service has lost the last event, and goes on with all of them', async () => {
    const reset = 'id: 0\nevent: reset\ndata: {"last_event_id":"b","message":"It is gone."}\n\n';
    const { client, sent } = clientOf(stream(begin + told('a', 'b')), stream(`id: 0\n\n${reset}${told('a')}`));
    const seen: string[] = [];
    for await (const each of client.events.follow({ onReset: () => seen.push('reset') })) {
      seen.push(each.id);
      if (seen.length === 4) break;
    }
    expect(seen).toEqual(['a', 'b', 'reset', 'a']);
    expect(sent[1]?.headers.get('last-event-id')).toBe('b');
  });

  it('outlasts a proxy that has no service behind it for a while, and asks again after the usual pause', async () => {
    const { client, sent } = clientOf(
      stream(begin + told('a')),
      new Response('<h1>Bad gateway</h1>', { status: 502 }),
      stream(told('b')),
    );
    expect(await follow(client, 2)).toEqual(['a', 'b']);
    expect(sent.map(({ headers }) => headers.get('last-event-id'))).toEqual([null, 'a', 'a']);
  });

  it('is a fault when the answer is no stream', async () => {
    const { client } = clientOf(new Response('<p>Log in:</p>\n\n', { headers: { 'content-type': 'text/html' } }));
    await expect(follow(client, 1)).rejects.toMatchObject({ code: 'foreign-answer', status: 200 });
  });

  it('is a fault when an event is not one of the contract', async () => {
    const { client } = clientOf(stream(`${begin}id: a\ndata: {"id": 1}\n\n`));
    await expect(follow(client, 1)).rejects.toMatchObject({ name: 'ApiFault', code: 'foreign-answer' });
  });

  it('ends when it is told to, in the middle of a pause too', async () => {
    const { client, sent } = clientOf(stream('retry: 600000\n\n'));
    const stop = new AbortController();
    const ended = allOf(client.events.follow({ signal: stop.signal }));
    while (sent.length === 0) await new Promise(setImmediate);
    stop.abort();
    await expect(ended).resolves.toEqual([]);
  });
});
