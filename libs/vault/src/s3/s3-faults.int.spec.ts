import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type HttpFault, HttpProxy, type PassingRequest } from '../../../../test/services/http-proxy.js';
import { describeWithVersity, type S3Server } from '../../../../test/services/s3-servers.js';
import { s3StoreAt } from '../../fixtures/s3-store-at.js';
import { putSample } from '../../fixtures/sample-backup.js';
import { ObjectVault } from '../object/object-vault.js';
import type { S3Store } from './s3-store.js';

const attempts = 4;
const { signal } = new AbortController();
const page = '<!DOCTYPE html><html><body>Please log in</body></html>';
const refusal = (status: number, code: string): HttpFault => ({
  answer: {
    status,
    headers: { 'content-type': 'application/xml' },
    body: `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>made up</Message></Error>`,
  },
});

/** What may pass, and how it reads when it does not. */
const passing: [string, HttpFault, RegExp][] = [
  ['500', refusal(500, 'InternalError'), /fails or asks for fewer requests/],
  ['503', refusal(503, 'SlowDown'), /fails or asks for fewer requests/],
  ['429', refusal(429, 'TooManyRequestsException'), /fails or asks for fewer requests/],
  ['502 of a proxy, with a page', { answer: { status: 502, body: page } }, /fails or asks/],
  ['a reset', 'reset', /the connection failed/],
  ['silence', 'hang', /silent for too long/],
  ['expired keys', refusal(403, 'ExpiredToken'), /keys have expired|refuses access/],
  [
    'a 200 that is the page of somebody else',
    { answer: { status: 200, body: page } },
    /had done it, and had not|no S3 store/,
  ],
];
/** What does not pass. */
const lasting: [string, HttpFault, string, RegExp][] = [
  ['a bucket that is gone', refusal(404, 'NoSuchBucket'), 'vault-unavailable', /no bucket/],
  ['a clock that is wrong', refusal(403, 'RequestTimeTooSkewed'), 'vault-unavailable', /Set it by NTP|refuses access/],
  ['no access', refusal(403, 'AccessDenied'), 'vault-unavailable', /refuses access/],
  ['unknown keys', refusal(403, 'InvalidAccessKeyId'), 'vault-unavailable', /does not take its keys|refuses access/],
  ['another region', refusal(301, 'PermanentRedirect'), 'vault-unavailable', /region=/],
  ['a full store', refusal(507, 'InsufficientStorage'), 'vault-full', /no room left/],
  ['a 404 of somebody else', { answer: { status: 404, body: page } }, 'vault-unavailable', /no S3 store/],
];

describeWithVersity('a store in a bucket, behind a bad network,', (start) => {
  let server: S3Server;
  let proxy: HttpProxy;
  let store: S3Store;
  /** The same bucket without the bad network. */
  let truth: S3Store;

  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server?.stop());
  beforeEach(async () => {
    proxy = await HttpProxy.before(server.url);
    const bucket = await server.bucket();
    store = s3StoreAt(server.vaultUrl(bucket, { endpoint: proxy.url }), { attempts, silentMs: 250 });
    truth = s3StoreAt(server.vaultUrl(bucket));
  });
  afterEach(() => proxy.close());

  const options = (bytes: Buffer) =>
    ({ sha256: createHash('sha256').update(bytes).digest('hex'), if: 'absent' }) as const;
  const putTruly = async (key: string, bytes: Buffer) => {
    const facts = await truth.put(key, bytes, options(bytes), signal);
    if (!facts) throw new Error('it is there already');
    return facts;
  };
  const bytesOf = async (from: S3Store, key: string) => {
    const found = await from.get(key, signal);
    if (!found) return undefined;
    const chunks: Buffer[] = [];
    for await (const chunk of found.body) chunks.push(chunk);
    return Buffer.concat(chunks);
  };
  const listOf = async () => {
    const keys: string[] = [];
    for await (const { key } of store.list('', signal)) keys.push(key);
    return keys;
  };
  /** Every call, each with what shows that it did what it said. */
  const calls: [string, () => Promise<unknown>, () => Promise<void>][] = [
    [
      'put',
      () => store.put('new', Buffer.from('new'), options(Buffer.from('new')), signal),
      async () => {
        expect((await bytesOf(truth, 'new'))?.toString()).toBe('new');
      },
    ],
    ['get', () => bytesOf(store, 'there').then((bytes) => expect(bytes?.toString()).toBe('there')), async () => {}],
    ['head', () => store.head('there', signal).then((facts) => expect(facts?.bytes).toBe(5)), async () => {}],
    [
      'head of nothing',
      () => store.head('nothing', signal).then((facts) => expect(facts).toBeUndefined()),
      async () => {},
    ],
    ['list', () => listOf().then((keys) => expect(keys).toContain('there')), async () => {}],
    [
      'delete',
      () => store.delete(['there'], signal),
      async () => {
        await expect(truth.head('there', signal)).resolves.toBeUndefined();
      },
    ],
  ];

  describe.each(passing)('%s', (_, fault, says) => {
    it('once is got over by every call', async () => {
      for (const [, call, isDone] of calls) {
        await truth.put('there', Buffer.from('there'), options(Buffer.from('there')), signal);
        let isFirst = true;
        proxy.fault = () => {
          const now = isFirst ? fault : undefined;
          isFirst = false;
          return now;
        };
        await call();
        proxy.calm();
        await isDone();
        await truth.delete(['new'], signal);
      }
    });

    it('for long ends every call with a fault, after a few requests', async () => {
      await putTruly('there', Buffer.from('there'));
      for (const [name, call] of calls) {
        proxy.fault = () => fault;
        await expect(call().then(() => name)).rejects.toMatchObject({
          code: 'vault-unavailable',
          message: expect.stringMatching(says),
          retryable: true,
        });
        // What HEAD is refused is asked for again with a body, and a deletion asks two things.
        expect(proxy.requests.length).toBeLessThanOrEqual(2 * attempts);
        proxy.calm();
      }
      await expect(truth.head('new', signal)).resolves.toBeUndefined();
      expect((await bytesOf(truth, 'there'))?.toString()).toBe('there');
    });
  });

  it.each(lasting)('says at once what is to be done about %s', async (_, fault, code, says) => {
    await putTruly('there', Buffer.from('there'));
    for (const [name, call] of calls) {
      proxy.calm();
      proxy.fault = () => fault;
      const isAsked = name.startsWith('head');
      // An answer to HEAD has no body, and what is missing then is asked for by another request.
      const expected = isAsked ? expect.any(String) : expect.stringMatching(says);
      await expect(call().then(() => name)).rejects.toMatchObject({ name: 'VaultFault', message: expected });
      if (!isAsked) await expect(call()).rejects.toMatchObject({ code });
    }
    proxy.calm();
    expect((await bytesOf(truth, 'there'))?.toString()).toBe('there');
  });

  it('does not believe a success that stored nothing', async () => {
    proxy.fault = ({ method }) =>
      method === 'PUT'
        ? { answer: { status: 200, headers: { etag: '"0123456789abcdef0123456789abcdef"' } } }
        : undefined;
    const bytes = randomBytes(1_000);
    await expect(store.put('new', bytes, options(bytes), signal)).rejects.toMatchObject({
      code: 'vault-unavailable',
      message: expect.stringContaining('the object is not there'),
    });
    await expect(truth.head('new', signal)).resolves.toBeUndefined();
  });

  it('knows its own put by its bytes when the answer was lost: of a new object, and of one in the place of another', async () => {
    const loseFirst = (of: (request: PassingRequest) => boolean) => {
      let isFirst = true;
      proxy.fault = (request) => {
        if (!isFirst || !of(request)) return undefined;
        isFirst = false;
        return 'lose-answer';
      };
    };
    const [one, two] = [Buffer.from('one'), Buffer.from('two')];
    loseFirst(({ method }) => method === 'PUT');
    const first = await store.put('state', one, options(one), signal);
    expect(first?.bytes).toBe(3);
    loseFirst(({ method }) => method === 'PUT');
    const second = await store.put('state', two, { ...options(two), if: { tag: first?.tag ?? '' } }, signal);
    expect(second?.tag).not.toBe(first?.tag);
    expect(proxy.requests.filter(({ method }) => method === 'PUT')).toHaveLength(4);
    expect((await bytesOf(truth, 'state'))?.toString()).toBe('two');
    loseFirst(({ method }) => method === 'POST');
    await store.delete(['state'], signal);
    await expect(truth.head('state', signal)).resolves.toBeUndefined();
  });

  it('does not take the put of somebody else for its own', async () => {
    const [ours, theirs] = [Buffer.from('ours'), Buffer.from('theirs')];
    proxy.fault = ({ method }) => (method === 'PUT' ? 'reset' : undefined);
    const putting = store.put('new', ours, options(ours), signal);
    await putTruly('new', theirs);
    proxy.calm();
    await expect(putting.catch(() => undefined)).resolves.toBeUndefined();
    await expect(store.put('new', ours, options(ours), signal)).resolves.toBeUndefined();
    expect((await bytesOf(truth, 'new'))?.toString()).toBe('theirs');
  });

  it('asks for the rest of a body that is reset amid it, again and again', async () => {
    const bytes = randomBytes(1_000_000);
    await putTruly('large', bytes);
    proxy.fault = () => ({ cutAfter: 150_000 });
    expect((await bytesOf(store, 'large'))?.equals(bytes)).toBe(true);
    expect(proxy.requests.length).toBeGreaterThan(5);
  });

  it('does not join the parts of two objects', async () => {
    await putTruly('large', randomBytes(1_000_000));
    const found = await truth.head('large', signal);
    proxy.fault = () => ({ cutAfter: 150_000 });
    const reading = await store.get('large', signal);
    const other = randomBytes(1_000_000);
    await truth.put('large', other, { ...options(other), if: { tag: found?.tag ?? '' } }, signal);
    const read = async () => {
      for await (const _ of reading?.body ?? []);
    };
    await expect(read()).rejects.toMatchObject({ name: 'VaultFault' });
  });

  it('ends at once when it is told to, before an answer and amid a body that crawls', async () => {
    await putTruly('large', randomBytes(500_000));
    const reason = new Error('the attempt is over');
    const patient = s3StoreAt(server.vaultUrl('strongroom-1', { endpoint: proxy.url }), { silentMs: 600_000 });
    const first = new AbortController();
    proxy.fault = () => {
      setImmediate(() => first.abort(reason));
      return 'hang';
    };
    await expect(patient.head('large', first.signal)).rejects.toBe(reason);
    proxy.fault = () => ({ crawl: { bytes: 100, pauseMs: 20 } });
    const second = new AbortController();
    const found = await store.get('large', second.signal);
    const read = async () => {
      for await (const chunk of found?.body ?? []) if (chunk.length > 0) second.abort(reason);
    };
    await expect(read()).rejects.toBe(reason);
  });

  describe('as a vault', () => {
    const stored = async () => {
      const vault = new ObjectVault('IAD', store, 65_536);
      await vault.identify();
      const backupId = randomUUID();
      const objects = new Map([['base.tar.zst', randomBytes(200_000)]]);
      const [upload, manifest] = await putSample(vault, backupId, 1, objects);
      return { vault, backupId, upload, manifest };
    };
    const ofPieces = (fault: HttpFault) => (request: PassingRequest) =>
      request.method === 'GET' && request.path.includes('base.tar.zst.') ? fault : undefined;

    it.each([
      ['wrong', (bytes: Buffer) => Buffer.concat([bytes.subarray(1), bytes.subarray(0, 1)])],
      ['truncated', (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)],
      ['no', () => Buffer.alloc(0)],
    ])('seals no backup that gives back %s bytes', async (_, body) => {
      const { vault, backupId, upload, manifest } = await stored();
      proxy.fault = ofPieces({ body });
      await expect(upload.seal(manifest)).rejects.toMatchObject({ code: 'object-altered' });
      proxy.calm();
      await expect(vault.manifest(backupId)).resolves.toBeUndefined();
      await upload.discard();
      const left: string[] = [];
      for await (const { key } of truth.list('backups/', signal)) left.push(key.split('/').slice(3).join('/'));
      expect(left).toEqual(['state']);
    });

    it('is whole though each of its requests fails once', async () => {
      const seen = new Set<string>();
      proxy.fault = ({ method, path }) => {
        const key = `${method} ${path}`;
        if (seen.has(key)) return undefined;
        seen.add(key);
        return seen.size % 3 === 0 ? 'lose-answer' : seen.size % 3 === 1 ? refusal(503, 'SlowDown') : 'reset';
      };
      const { vault, backupId, upload, manifest } = await stored();
      await upload.seal(manifest);
      await expect(vault.verify(backupId)).resolves.toMatchObject({ bytes: manifest });
    });
  });
});
