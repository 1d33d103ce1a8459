import { appendFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  deleteBackupsId,
  deleteSchedulesId,
  type Example,
  getBackups,
  getInstances,
  getSchedules,
  idOf,
  type Operation,
  operations,
  pathOf,
  postSchedules,
} from '@strongroom/contracts';
import fc from 'fast-check';
import { z } from 'zod';
import { accountId, Gateway } from '../../fixtures/gateway.js';
import { leaksIn } from '../../fixtures/leaks.js';

/** The nightly run sends more requests. */
const requests = Number(process.env.STRONGROOM_FUZZ_REQUESTS ?? 1_000);

interface Ids {
  instance: string;
  schedule: string;
  backup: string;
}

let gateway: Gateway;
let own: Ids;
let others: Ids;

const nameOf = { admin: 'orders', other: 'known to the other alone' };

async function someOf(as: 'admin' | 'other'): Promise<Ids> {
  const instance = await gateway.register(as, { name: nameOf[as] });
  const schedule = await gateway.schedule(instance, {}, as);
  return { instance, schedule, backup: await gateway.backup(instance, { name: nameOf[as] }, as) };
}

beforeAll(async () => {
  gateway = await Gateway.open();
  own = await someOf('admin');
  others = await someOf('other');
  await endBackups();
});
afterAll(() => gateway.close());

/** Every id of the other account, and every name that only it has given. */
async function secretsOf(): Promise<string[]> {
  const known = (await gateway.ledger.followAccount('other', 0, 1_000)).flatMap(({ id, stream }) => [id, idOf(stream)]);
  return [nameOf.other, ...new Set([...Object.values(others), ...known])];
}

const backups = z.object({ backups: z.array(z.object({ id: z.string(), instance_id: z.string() })) });

/** Ends the running backups, so that the next one can begin. */
async function endBackups(): Promise<void> {
  const running = backups.parse((await gateway.call(getBackups, { query: { status: 'NEW' } })).body).backups;
  for (const { id, instance_id } of running) await gateway.run(id, instance_id, 'failed');
}

/** Makes anew what a request has deleted, so that further requests can ask about it. */
async function replace(path: string): Promise<void> {
  if (path === deleteSchedulesId.path) own.schedule = await gateway.schedule(own.instance);
  else if (path === deleteBackupsId.path) own.backup = await gateway.backup(own.instance, { name: nameOf.admin });
  else own = await someOf('admin');
  await endBackups();
}

/** A request names its ids by words, because ids differ from run to run. They are looked up when it is sent. */
const names = [
  'own',
  'own.instance',
  'own.schedule',
  'own.backup',
  'others.instance',
  'others.schedule',
  'others.backup',
];
function lookedUp(name: string): string {
  const ids = name.startsWith('others.') ? others : own;
  if (name.endsWith('.instance')) return ids.instance;
  return name.endsWith('.schedule') ? ids.schedule : ids.backup;
}
/**
 * Finds ids only where the contract wants one. A name or a host that is another account's id is shown again, and leaks
 * nothing.
 */
const idInBody = /("(?:instance|instance_id|source_id|parent_id|backupRef)":)"((?:own|others)\.\w+)"/g;
const idOr = (text: string) => (names.includes(text) ? lookedUp(text) : text);

const idName = fc.constantFrom(...names);
const anyText = fc.string({ unit: 'binary', maxLength: 70 });
/** Texts that could break a store, a log or the check of a region. */
const oddText = fc.constantFrom('a\0', 'a\ud800', '', 'DFW', 'IAD,ORD', "'; drop table job; --");
const odd = fc.constantFrom(null, -1, 0, 1, 1.5, 1e308, ['IAD'], ['IAD', 'IAD'], [[]], {}, true);
const oddity = fc.oneof({ weight: 4, arbitrary: oddText }, odd, fc.jsonValue(), anyText, idName);

function fieldsIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  return Object.entries(value).flatMap(([name, inner]) => [name, ...fieldsIn(inner)]);
}
const otherFields = fc.constantFrom('run_now', 'paused', 'parent_id', 'description', 'restorePoint', '__proto__');

/** An operation's example with some fields changed or added. */
const likeExample = (example: Example) => {
  const field = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...fieldsIn(example.request)) }, otherFields);
  return fc.array(fc.tuple(field, oddity), { maxLength: 3 }).map((changes) =>
    changes.reduce(
      (text, [name, value]) => {
        const there = new RegExp(`"${name}":("[^"]*"|\\d+|\\[[^\\]]*\\])`);
        const spelled = `${JSON.stringify(name)}:${JSON.stringify(value)}`;
        return there.test(text) ? text.replace(there, () => spelled) : text.replace(/:\{/, () => `:{${spelled},`);
      },
      JSON.stringify(example.request).replaceAll(/"[\da-f-]{36}"/g, '"own.instance"'),
    ),
  );
};
/** Bodies that are nested as deep as their length allows. */
const deep = fc
  .tuple(fc.constantFrom('[', '{"schedule":', '{"a":[{"b":'), fc.integer({ min: 1, max: 20_000 }), fc.boolean())
  .map(([open, depth, isWhole]) => {
    const opened = open.repeat(Math.min(depth, Math.floor(60_000 / (2 * open.length))));
    const closed = [...opened].reverse().map((char) => (char === '[' ? ']' : char === '{' ? '}' : ''));
    return isWhole ? `${opened}1${closed.join('')}` : opened;
  });
const noise = fc.oneof(
  fc.json(),
  deep,
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
);
const bodyFor = (operation: Operation) =>
  operation.examples
    ? fc.oneof(
        { weight: 9, arbitrary: fc.oneof(...operation.examples.map(likeExample)) },
        { weight: 1, arbitrary: noise },
      )
    : noise;

const headerText = fc
  .string({ unit: 'grapheme-ascii', maxLength: 300 })
  .map((text) => text.trim())
  .filter((text) => text !== '');

type Spelling = readonly [at: number, how: 'all' | 'upper' | 'broken'];

/** The same path with some characters percent-encoded, or with a percent sign that encodes nothing. */
function spelled(path: string, [at, how]: Spelling): string {
  const where = 1 + (at % (path.length - 1 || 1));
  const hex = (char: string) => `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
  if (how === 'broken') return `${path.slice(0, where)}%${path.slice(where)}`;
  if (how === 'all') return path.replaceAll(/[a-z]/gi, hex);
  return `${path.slice(0, where)}${hex(path.charAt(where)).toUpperCase()}${path.slice(where + 1)}`;
}

const seldom = <T>(arbitrary: fc.Arbitrary<T>) => fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, arbitrary);

const withBody = operations.filter(({ examples }) => examples);
const request = fc.oneof(fc.constantFrom(...operations), fc.constantFrom(...withBody)).chain((operation) =>
  fc.record({
    path: fc.constant(operation.path),
    method: fc.oneof(
      { weight: 8, arbitrary: fc.constant<string>(operation.method) },
      { weight: 1, arbitrary: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS') },
    ),
    id: fc.oneof(
      { weight: 6, arbitrary: fc.constant('own') },
      { weight: 4, arbitrary: idName },
      { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 3 }) },
    ),
    query: fc.array(
      fc.tuple(
        fc.constantFrom('limit', 'marker', 'instance_id', 'status', 'datastore', '__proto__'),
        fc.oneof(anyText, fc.nat().map(String), fc.constantFrom('COMPLETED', 'postgresql', '0'), idName),
      ),
      { maxLength: 2 },
    ),
    body: fc.option(bodyFor(operation), { freq: operation.examples ? 8 : 1 }),
    type: fc.oneof(
      { weight: 9, arbitrary: fc.constant('application/json') },
      { weight: 1, arbitrary: fc.constantFrom('text/plain', 'application/json; charset=utf-16') },
    ),
    key: seldom(fc.oneof(fc.constantFrom('one', 'two', 'three'), headerText)),
    match: seldom(fc.oneof(fc.constantFrom('*', '"1"', '"2"', 'W/"1"', '"1", "x"', '1'), headerText)),
    percent: seldom(fc.tuple(fc.nat(), fc.constantFrom('all', 'upper', 'broken'))),
  }),
);

describe('whatever is asked', () => {
  it('is answered as the contract says, never by a failure, and never with anything of another account', async () => {
    const written = new Map<string, number>();
    const figures = { requests: 0, of5xx: 0, leaks: 0 };
    const secrets = await secretsOf();
    await fc.assert(
      fc.asyncProperty(request, async ({ method, path, id, query, body, type, key, match, percent }) => {
        const search = new URLSearchParams(query.map(([name, value]): [string, string] => [name, idOr(value)]));
        const named = id === 'own' ? idOr(`own.${/(\w+)s\/\{id\}/.exec(path)?.[1]}`) : idOr(id);
        const plain = pathOf({ path }, { accountId, id: named, version: named });
        const at = percent ? spelled(plain, percent) : plain;
        const bytes =
          typeof body === 'string'
            ? body.replaceAll(idInBody, (_, field: string, name: string) => `${field}"${idOr(name)}"`)
            : body;
        const isRead = method === 'GET' || method === 'HEAD';
        const headers = {
          ...(key !== null && { 'idempotency-key': key }),
          ...(match !== null && { 'if-match': match }),
          ...(bytes !== null && !isRead && { 'content-type': type }),
        };
        const answer = await gateway.request(method, `${at}?${search}`, {
          headers,
          ...(bytes !== null && !isRead && { bytes }),
        });
        if (!isRead && answer.status < 300) {
          const what = `${method} ${path}`;
          written.set(what, (written.get(what) ?? 0) + 1);
        }
        figures.requests += 1;
        if (answer.status >= 500 && answer.status !== 501) figures.of5xx += 1;
        expect([500, 503]).not.toContain(answer.status);
        const said = [plain, at, ...search.values(), bytes, ...Object.values(headers)].join(' ');
        const leaks = leaksIn({ said, answer }, secrets);
        figures.leaks += leaks.length;
        expect(leaks).toEqual([]);
        if (answer.status !== 202 || answer.headers.has('idempotent-replayed')) return;
        await endBackups();
        if (method === 'DELETE') await replace(path);
        if (method === 'POST' && path === postSchedules.path) throw new Error('the instance has a schedule already');
      }),
      { numRuns: requests },
    );
    const notes = process.env.STRONGROOM_CONTRACT_NOTES;
    if (notes) appendFileSync(notes, `${JSON.stringify({ fuzz: figures })}\n`);
    // Some requests were accepted and wrote something: not all were refused.
    const writes = [...written.values()].reduce((sum, times) => sum + times, 0);
    expect(written.size).toBeGreaterThanOrEqual(4);
    expect(writes).toBeGreaterThan(requests / 100);
  }, 300_000);

  it('has changed nothing of another account', async () => {
    const ofOther = async (list: Operation) => (await gateway.call(list, { as: 'other' })).body;
    expect(await ofOther(getInstances)).toMatchObject({
      instances: [{ id: others.instance, name: nameOf.other }],
      links: [],
    });
    expect(await ofOther(getSchedules)).toMatchObject({ schedules: [{ id: others.schedule, version: 1 }], links: [] });
    expect(await ofOther(getBackups)).toMatchObject({ backups: [{ id: others.backup, status: 'NEW' }], links: [] });
  });
});
