import { appendFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Answer } from '@strongroom/client';
import {
  deleteBackupsId,
  deleteSchedulesId,
  getBackupsId,
  getHealthReady,
  getInstancesId,
  getSchedules,
  getSchedulesId,
} from '@strongroom/contracts';
import fc from 'fast-check';
import pg from 'pg';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../../../test/services/database.js';
import { type Link, WireProxy } from '../../../../test/services/wire-proxy.js';
import { outcomeIn } from '../../fixtures/answers.js';
import { Gateway } from '../../fixtures/gateway.js';
import { AskedAccounts, changingRequest, randomRequest } from '../../fixtures/random-requests.js';

/** The nightly run sends more requests. */
const requests = Number(process.env.STRONGROOM_CUT_FUZZ_REQUESTS ?? 250);

let database: TestDatabase;
let proxy: WireProxy;
let gateway: Gateway;
let accounts: AskedAccounts;
/** It reads past the proxy what is on the disk. */
let reader: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  proxy = await WireProxy.before(database.url);
  gateway = await Gateway.open({ database: { ...database, url: proxy.url } });
  accounts = await AskedAccounts.create(gateway);
  reader = new pg.Client({ connectionString: database.url });
  await reader.connect();
});
afterAll(async () => {
  proxy.calm();
  await reader.end();
  await gateway.close();
  await proxy.close();
});

/** What happens to the n-th piece that goes over the wire during a request, counted over all connections. */
const cut = fc.record({
  at: fc.integer({ min: 1, max: 20 }),
  how: fc.oneof(
    { weight: 30, arbitrary: fc.constantFrom('lost', 'half', 'ended', 'unsent', 'sent') },
    // Everything is away from this piece on, until the request is answered.
    { weight: 2, arbitrary: fc.constant('away') },
  ),
  part: fc.double({ min: 0, max: 1, noNaN: true }),
});
type Cut = typeof cut extends fc.Arbitrary<infer Value> ? Value : never;

/** Lets the cuts happen during the next request. @returns how many have happened, and how many pieces went over the wire */
function happen(cuts: readonly Cut[]): () => { happened: number; pieces: number } {
  let pieces = 0;
  let happened = 0;
  let isAway = false;
  const next = (): Cut | undefined => {
    pieces += 1;
    const due = cuts.find(({ at }) => at === pieces);
    if (due) happened += 1;
    if (due?.how === 'away') isAway = true;
    return due;
  };
  const end = (link: Link, first?: Buffer) => {
    link.cut(first);
    return undefined;
  };
  proxy.toServer = (bytes, link) => {
    const due = next();
    if (isAway || due?.how === 'unsent' || due?.how === 'half' || due?.how === 'lost') return end(link);
    if (!due) return bytes;
    // The server gets it, and nobody hears the answer.
    queueMicrotask(() => link.leave());
    return bytes;
  };
  proxy.toClient = (bytes, link) => {
    const due = next();
    if (isAway) return end(link);
    if (!due) return bytes;
    if (due.how === 'half') return end(link, bytes.subarray(0, Math.floor(bytes.length * due.part)));
    if (due.how !== 'ended') return end(link);
    link.end(bytes);
    return undefined;
  };
  return () => ({ happened, pieces });
}

const counted = z.array(z.object({ request: z.string(), events: z.coerce.number() }));

/** How many events each request has, by the id that it sent. */
async function eventsOfRequests(after = 0, request?: string): Promise<Map<string, number>> {
  const { rows } = await reader.query(
    `select context->>'clientRequestId' as request, count(*) as events from ledger_event
     where position > $1 and context ? 'clientRequestId' and ($2::text is null or context->>'clientRequestId' = $2)
     group by 1`,
    [after, request],
  );
  return new Map(counted.parse(rows).map((row) => [row.request, row.events]));
}

async function newestPosition(): Promise<number> {
  const { rows } = await reader.query('select coalesce(max(position), 0)::int as at from ledger_event');
  return z.array(z.object({ at: z.int() })).parse(rows)[0]?.at ?? 0;
}

/** The names of the streams in which a request has made something, as its answer shows it. */
const resource = z.record(z.string(), z.looseObject({ id: z.string() }));

function madeIn({ body }: Answer): string | undefined {
  const { data = {} } = resource.safeParse(body);
  const [[kind, shown] = ['', undefined]] = Object.entries(data);
  return shown && `${kind}-${shown.id}`;
}

/** What a request that was cut off may have deleted is made anew. */
async function mend(): Promise<void> {
  const isGone = async (operation: typeof getSchedulesId | typeof getBackupsId | typeof getInstancesId, id: string) =>
    (await gateway.call(operation, { id })).status === 404;
  await accounts.endBackups();
  const { instance, schedule, backup } = accounts.own;
  if (await isGone(getInstancesId, instance)) return accounts.replace(getInstancesId.path);
  if (await isGone(getSchedulesId, schedule)) {
    const [there] = await gateway.ids(getSchedules, { query: { instance_id: instance } });
    if (there !== undefined) accounts.own.schedule = there;
    else await accounts.replace(deleteSchedulesId.path);
  }
  if (await isGone(getBackupsId, backup)) await accounts.replace(deleteBackupsId.path);
}

describe('whatever is asked', () => {
  it(
    'has a true answer though connections to the database are cut at random',
    async () => {
      const figures = { requests: 0, cut: 0, of500: 0, of503: 0, unknown: 0, unknownThatWrote: 0, accepted: 0 };
      /** The requests that must have written nothing, and the streams that must be there. */
      const unwritten: string[] = [];
      const standing: string[] = [];
      const property = fc.asyncProperty(
        fc.oneof(randomRequest, changingRequest),
        fc.oneof(
          { weight: 1, arbitrary: fc.constant([]) },
          { weight: 4, arbitrary: fc.array(cut, { minLength: 1, maxLength: 3 }) },
        ),
        async (request, cuts) => {
          const id = `cut-${figures.requests}`;
          figures.requests += 1;
          const before = await newestPosition();
          const seen = happen(cuts);
          const { answer, isRead } = await accounts.ask(request, id);
          proxy.calm();
          const events = (await eventsOfRequests(before, id)).get(id) ?? 0;
          const replayed = answer.headers.has('idempotent-replayed');
          const { happened, pieces } = seen();
          if (happened > 0) figures.cut += 1;
          if (answer.status === 500) figures.of500 += 1;
          const why = answer.status === 500 ? gateway.lines.filter((line) => line.includes(`"${id}"`)) : [];
          if (answer.status === 503) figures.of503 += 1;
          expect([answer.status, why]).not.toEqual([500, why]);
          // Whether the service is ready is told for a second without another look.
          const isTold = request.path === getHealthReady.path && pieces === 0 && figures.cut > 0;
          if (answer.status === 503 && !isTold) expect(happened).toBeGreaterThan(0);
          if (answer.status < 300 && !isRead) {
            figures.accepted += 1;
            const made = madeIn(answer);
            if (made !== undefined) standing.push(made);
            // An action may ask for what is so already.
            if (!replayed && !request.path.endsWith('/action')) expect([id, events]).not.toEqual([id, 0]);
          } else if (answer.status === 503 && !isRead && outcomeIn(answer.body) === 'unknown') {
            figures.unknown += 1;
            if (events > 0) figures.unknownThatWrote += 1;
          } else {
            expect([id, answer.status, answer.body, events]).toEqual([id, answer.status, answer.body, 0]);
            unwritten.push(id);
          }
          if (!isRead && (answer.status < 300 || answer.status === 503)) await mend();
        },
      );
      try {
        await fc.assert(property, { numRuns: requests, endOnFailure: true });
      } finally {
        process.stderr.write(`with cuts: ${JSON.stringify(figures)}\n`);
      }
      // Nothing came later either, and nothing that was accepted went.
      const all = await eventsOfRequests();
      expect(unwritten.filter((id) => all.has(id))).toEqual([]);
      const { rows } = await reader.query('select distinct stream from ledger_event');
      const streams = new Set(
        z
          .array(z.object({ stream: z.string() }))
          .parse(rows)
          .map(({ stream }) => stream),
      );
      expect(standing.filter((stream) => !streams.has(stream))).toEqual([]);
      const notes = process.env.STRONGROOM_CONTRACT_NOTES;
      if (notes) appendFileSync(notes, `${JSON.stringify({ cuts: figures })}\n`);
      expect(figures.cut).toBeGreaterThan(requests / 10);
      expect(figures.accepted).toBeGreaterThan(requests / 50);
    },
    Math.max(300_000, requests * 400),
  );
});
