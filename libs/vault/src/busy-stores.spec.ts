/** Servers of the test answer as each kind of store does when it is asked for too much: no emulator of them ever is. */
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Metrics } from '@strongroom/runtime';
import { eventually } from '../../../test/services/eventually.js';
import { cloudStoreAt } from '../fixtures/cloud-store-at.js';
import { s3StoreAt } from '../fixtures/s3-store-at.js';
import { Traffic } from './flow/traffic.js';
import type { RemoteStore, StoreOptions } from './object/remote-store.js';
import { StorePace, type Turn } from './object/store-pace.js';
import { openVaults, storeOf } from './vaults.js';

interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

interface Kind {
  storeAt(origin: string, options: StoreOptions): RemoteStore;
  busy: Answer;
  missing: Answer;
  /** Of a bucket that is there and empty. */
  list?: Answer;
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-busy-'));
  await writeFile(join(folder, 's3.json'), JSON.stringify({ accessKeyId: 'id', secretAccessKey: 'secret' }), {
    mode: 0o600,
  });
  const accountKey = Buffer.from('only for this test').toString('base64');
  await writeFile(join(folder, 'azure.json'), JSON.stringify({ accountKey }), { mode: 0o600 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const xml = (code: string) => ({
  headers: { 'content-type': 'application/xml', 'x-ms-error-code': code },
  body: `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>made up</Message></Error>`,
});
const json = (code: number, reason: string) => ({
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ error: { code, message: 'made up', errors: [{ reason }] } }),
});

const kinds: [string, Kind][] = [
  [
    'S3',
    {
      storeAt: (origin, options) => {
        const more = `endpoint=${origin}&region=us-east-1&credentials=${join(folder, 's3.json')}`;
        return s3StoreAt(new URL(`s3://strongroom/a/?${more}`), options);
      },
      busy: { status: 503, ...xml('SlowDown') },
      missing: { status: 404, ...xml('NoSuchKey') },
    },
  ],
  [
    'Google Cloud Storage',
    {
      storeAt: (origin, options) =>
        cloudStoreAt(new URL(`gs://strongroom/a/?endpoint=${origin}&credentials=none`), options),
      busy: { status: 429, ...json(429, 'rateLimitExceeded') },
      missing: { status: 404, ...json(404, 'notFound') },
      list: { status: 200, headers: { 'content-type': 'application/json' }, body: '{"kind":"storage#objects"}' },
    },
  ],
  [
    'Azure',
    {
      storeAt: (origin, options) => {
        const more = `account=strongroomtest&endpoint=${origin}&credentials=${join(folder, 'azure.json')}`;
        return cloudStoreAt(new URL(`az://strongroom/a/?${more}`), options);
      },
      busy: { status: 503, ...xml('ServerBusy') },
      missing: { status: 404, ...xml('BlobNotFound') },
    },
  ],
];

/** A store that does a few requests at a time, each for a while, and is busy for the others. */
class SmallStore {
  busyAnswers = 0;
  mostInHand = 0;
  inHand = 0;

  private constructor(
    private readonly server: Server,
    readonly origin: string,
  ) {}

  static async start({ busy, missing, list }: Kind, capacity: number, more: Record<string, string> = {}) {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the server has no port');
    const store = new SmallStore(server, `http://127.0.0.1:${address.port}`);
    server.on('request', (asked, answer) => {
      const isBusy = store.inHand >= capacity;
      store.inHand += 1;
      store.mostInHand = Math.max(store.mostInHand, store.inHand);
      if (isBusy) store.busyAnswers += 1;
      const right = list && asked.url?.includes('maxResults=1&') ? list : missing;
      const { status, headers, body } = isBusy ? { ...busy, headers: { ...busy.headers, ...more } } : right;
      asked.resume();
      setTimeout(() => {
        store.inHand -= 1;
        answer.writeHead(status, headers).end(body);
      }, 10);
    });
    return store;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

/** Keeps for how long the store was left alone each time. */
class ToldPace extends StorePace {
  readonly rests: number[] = [];

  override async turn(signal: AbortSignal): Promise<Turn> {
    const turn = await super.turn(signal);
    const endBusy = (restMs: number) => {
      this.rests.push(restMs);
      turn.endBusy(restMs);
    };
    return { ...turn, endBusy };
  }
}

const { signal } = new AbortController();

describe.each(kinds)('a store of %s that does three requests at a time', (_, kind) => {
  it('is asked for no more than it does by everything that wants something of it, and nothing fails', async () => {
    const small = await SmallStore.start(kind, 3);
    const metrics = new Metrics();
    const pace = new Traffic({ metrics }).paceOf('s3 of a spec', 'IAD');
    const store = kind.storeAt(small.origin, { pace, attempts: 6 });
    const crowd = Array.from({ length: 40 }, (__, each) => store.get(`object-${each}`, new AbortController().signal));
    await expect(Promise.all(crowd)).resolves.toEqual(crowd.map(() => undefined));
    small.mostInHand = 0;
    const later = Array.from({ length: 20 }, (__, each) => store.get(`later-${each}`, new AbortController().signal));
    await expect(Promise.all(later)).resolves.toEqual(later.map(() => undefined));
    expect(small.mostInHand).toBeLessThan(12);
    const told = await metrics.text();
    expect(told).toMatch(/strongroom_store_busy_total\{[^}]*region="IAD"[^}]*\} [1-9]/);
    expect(told).toMatch(/strongroom_store_request_limit\{[^}]*region="IAD"[^}]*\} [1-9]/);
    expect(told).toMatch(/strongroom_store_busy_wait_seconds_total\{[^}]*region="IAD"[^}]*\} [\d.]+/);
    small.stop();
  });

  it('is left alone by all others too, for as long as it asks', async () => {
    const small = await SmallStore.start(kind, 0, { 'retry-after': '30' });
    const pace = new ToldPace();
    const { rests } = pace;
    const store = kind.storeAt(small.origin, { pace });
    const ending = new AbortController();
    const reason = new Error('the process is stopping');
    const asking = store.get('object', ending.signal).catch((error: unknown) => error);
    await eventually(
      () => {
        expect(rests).toHaveLength(1);
      },
      { withinMs: 10_000 },
    );
    const other = store.get('other', ending.signal).catch((error: unknown) => error);
    await new Promise(setImmediate);
    ending.abort(reason);
    await expect(Promise.all([asking, other])).resolves.toEqual([reason, reason]);
    expect(small.busyAnswers).toBe(1);
    expect(rests[0]).toBeGreaterThanOrEqual(30_000);
    expect(rests[0]).toBeLessThan(31_000);
    small.stop();
  });
});

describe('regions', () => {
  /** The regions that are asked for less when the store of the first is busy. */
  async function slowed(...urls: string[]): Promise<string[]> {
    const traffic = new Traffic();
    const credentials = '/run/secrets/keys.json';
    const named = urls.map((url, index): [string, URL] => [`R${index}`, new URL(url)]);
    for (const [, url] of named) url.searchParams.set('credentials', credentials);
    openVaults(new Map(named), { traffic });
    const [[region, first] = ['', new URL('s3://none')]] = named;
    (await traffic.paceOf(storeOf(first), region).turn(signal)).endBusy(0);
    return traffic.requestLimits().map(([name]) => name);
  }

  it.each([
    ['in one server of S3', 's3://aaa?endpoint=https://s3.lan:9000', 's3://bbb/p?endpoint=https://s3.lan:9000/'],
    [
      'in one server that speaks as Google does',
      'gs://aaa?endpoint=https://gcs.lan',
      'gs://bbb?endpoint=https://gcs.lan',
    ],
    ['in one bucket of AWS', 's3://aaa/1?region=eu-central-1', 's3://aaa/2?region=eu-central-1'],
    ['in one bucket of Google', 'gs://aaa/1', 'gs://aaa/2'],
    ['in one account of Azure', 'az://aaa?account=backups', 'az://bbb?account=backups'],
  ])('%s have one pace', async (_, one, other) => {
    expect(await slowed(one, other)).toEqual(['R0', 'R1']);
  });

  it.each([
    ['two servers', 's3://aaa?endpoint=https://one.lan', 's3://aaa?endpoint=https://two.lan'],
    ['two buckets of AWS', 's3://aaa?region=eu-central-1', 's3://bbb?region=eu-central-1'],
    ['two buckets of Google', 'gs://aaa', 'gs://bbb'],
    ['two accounts of Azure', 'az://aaa?account=backups', 'az://aaa?account=copies'],
  ])('in %s have a pace each', async (_, one, other) => {
    expect(await slowed(one, other)).toEqual(['R0']);
  });
});

describe('a time in `retry-after`', () => {
  it('is no longer than a minute for a store that asks for an hour', async () => {
    const [[, kind] = []] = kinds;
    if (!kind) throw new Error('there are no kinds');
    const small = await SmallStore.start(kind, 0, { 'retry-after': '3600' });
    const pace = new ToldPace();
    const { rests } = pace;
    const store = kind.storeAt(small.origin, { pace, attempts: 1 });
    await expect(store.get('object', signal)).rejects.toMatchObject({ code: 'vault-unavailable' });
    expect(rests[0]).toBeGreaterThanOrEqual(60_000);
    expect(rests[0]).toBeLessThan(60_100);
    small.stop();
  });
});
