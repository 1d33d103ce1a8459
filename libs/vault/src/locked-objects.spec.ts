/** Servers of the test answer as each kind of store does about a lock, under a clock of their own: no emulator has both. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type HttpFault, HttpProxy, type PassingRequest } from '../../../test/services/http-proxy.js';
import { cloudStoreAt } from '../fixtures/cloud-store-at.js';
import { s3StoreAt } from '../fixtures/s3-store-at.js';
import type { RemoteStore } from './object/remote-store.js';

type Answer = Extract<HttpFault, { answer: unknown }>['answer'];

interface Kind {
  storeAt(origin: string): RemoteStore;
  /** What the store answers to a request about the one object that it has and refuses to remove. */
  answer(request: PassingRequest, until: Date): Answer;
  /** Whether the request asks for a lock. */
  locks(request: PassingRequest): boolean;
}

const { signal } = new AbortController();
const putAt = new Date('2020-01-01T00:00:00Z');
let folder: string;
let proxy: HttpProxy | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-locked-'));
  const keys = JSON.stringify({ accessKeyId: 'id', secretAccessKey: 'secret' });
  await writeFile(join(folder, 's3.json'), keys, { mode: 0o600 });
  const accountKey = Buffer.from('only for this test').toString('base64');
  await writeFile(join(folder, 'azure.json'), JSON.stringify({ accountKey }), { mode: 0o600 });
});
afterEach(async () => {
  await proxy?.close();
  proxy = undefined;
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const xml = (body: string) => ({
  status: 200,
  headers: { 'content-type': 'application/xml' },
  body: `<?xml version="1.0" encoding="UTF-8"?>${body}`,
});
const json = (status: number, told: object) => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(told),
});
const ofObject = { etag: '"tag"', 'last-modified': putAt.toUTCString(), 'content-length': '5' };

const kinds: [string, Kind][] = [
  [
    'S3',
    {
      storeAt: (origin) => {
        const more = `endpoint=${origin}&region=us-east-1&lock=compliance&credentials=${join(folder, 's3.json')}`;
        return s3StoreAt(new URL(`s3://strongroom/a/?${more}`));
      },
      answer({ method, path }, until) {
        if (method === 'HEAD') {
          const lock = { 'x-amz-object-lock-retain-until-date': until.toISOString() };
          return { status: 200, headers: { ...ofObject, ...lock } };
        }
        if (path.includes('versioning')) return xml('<VersioningConfiguration/>');
        if (method === 'PUT') return { status: 200 };
        return xml(
          '<DeleteResult><Error><Key>a/object</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>',
        );
      },
      locks: ({ method, path }) => method === 'PUT' && path.includes('retention'),
    },
  ],
  [
    'Google Cloud Storage',
    {
      storeAt: (origin) =>
        cloudStoreAt(new URL(`gs://strongroom/a/?endpoint=${origin}&lock=compliance&credentials=none`)),
      answer({ method, path }, until) {
        const retention = { mode: 'Locked', retainUntilTime: until.toISOString() };
        const object = { name: 'a/object', generation: '1', size: '5', timeCreated: putAt.toISOString(), retention };
        if (method === 'DELETE')
          return json(403, { error: { code: 403, message: 'no', errors: [{ reason: 'forbidden' }] } });
        return json(200, path.includes('/o?') ? { kind: 'storage#objects', items: [object] } : object);
      },
      locks: ({ method }) => method === 'PATCH',
    },
  ],
  [
    'Azure',
    {
      storeAt: (origin) => {
        const more = `account=strongroomtest&endpoint=${origin}&lock=compliance&credentials=${join(folder, 'azure.json')}`;
        return cloudStoreAt(new URL(`az://strongroom/a/?${more}`));
      },
      answer({ method }, until) {
        const policy = {
          'x-ms-immutability-policy-until-date': until.toUTCString(),
          'x-ms-immutability-policy-mode': 'locked',
        };
        if (method === 'HEAD') return { status: 200, headers: { ...ofObject, ...policy } };
        if (method === 'PUT') return { status: 200, headers: policy };
        return { status: 409, headers: { 'x-ms-error-code': 'BlobImmutableDueToPolicy' } };
      },
      locks: ({ method, path }) => method === 'PUT' && path.includes('immutabilityPolicies'),
    },
  ],
];

describe.each(kinds)('a lock of %s', (_, kind) => {
  /** The store, at the time that its own clock says. */
  async function storeWhere({ now, until }: { now: string; until: string }): Promise<RemoteStore> {
    const date = new Date(now).toUTCString();
    // Nothing passes, so there is no server behind it.
    proxy = await HttpProxy.before('http://127.0.0.1:9');
    proxy.fault = (request) => {
      const { headers, ...answer } = kind.answer(request, new Date(until));
      return { answer: { ...answer, headers: { ...headers, date } } };
    };
    return kind.storeAt(proxy.url);
  }

  it('counts though the clock of this host says that it is over, and its end is told', async () => {
    const until = '2020-06-01T00:00:00.000Z';
    const store = await storeWhere({ now: '2020-05-01T00:00:00Z', until });
    expect((await store.head('object', signal))?.lockedUntil).toEqual(new Date(until));
    await expect(store.delete(['object'], signal)).rejects.toMatchObject({
      code: 'object-locked',
      message: expect.stringContaining(`until ${until}`),
    });
  });

  it('does not count when it is over, though the clock of this host is behind: something else refuses then', async () => {
    const store = await storeWhere({ now: '2999-06-01T00:00:01Z', until: '2999-06-01T00:00:00.000Z' });
    expect((await store.head('object', signal))?.lockedUntil).toBeUndefined();
    await expect(store.delete(['object'], signal)).rejects.toMatchObject({ code: 'vault-unavailable' });
  });

  it('is asked for until a time that has not passed there, and only to be longer', async () => {
    const store = await storeWhere({ now: '2020-05-01T00:00:00Z', until: '2020-06-01T00:00:00.000Z' });
    const asked = () => proxy?.requests.filter((request) => kind.locks(request)).length;
    const keep = (until: string) => store.keepUntil('object', new Date(until), signal);
    expect(await keep('2020-04-01T00:00:00Z')).toBe(true);
    expect(await keep('2020-06-01T00:00:00Z')).toBe(true);
    expect(asked()).toBe(0);
    expect(await keep('2020-07-01T00:00:00Z')).toBe(true);
    expect(asked()).toBe(1);
  });

  it('is not asked for where its time has passed by the clock of the store alone', async () => {
    const store = await storeWhere({ now: '2999-07-01T00:00:00Z', until: '2999-01-01T00:00:00.000Z' });
    expect(await store.keepUntil('object', new Date('2999-06-01T00:00:00Z'), signal)).toBe(true);
    expect(proxy?.requests.filter((request) => kind.locks(request))).toEqual([]);
  });
});
