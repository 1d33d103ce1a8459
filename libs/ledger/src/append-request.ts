/** One append to one stream: what is asked of the ledger, and what it answers. */
import type { EventContext, NewEvent, StreamName } from '@strongroom/contracts';
import { z } from 'zod';

export interface AppendRequest {
  stream: StreamName;
  /** The version of the stream on which the command was decided; 0 for a stream without events. */
  expectedVersion: number;
  accountId: string;
  instanceId: string;
  context: EventContext;
  events: (NewEvent & { id: string })[];
  /** They are taken with the events. When another stream holds one of them, nothing is appended. */
  claims: { kind: string; key: string }[];
  /** They are given back with the events. */
  releases: { kind: string; key: string }[];
  /** They are counted with the events. When one would be exceeded, nothing is appended. */
  quotas?: { kind: string; key: string; by: number; most: number }[];
  /** The request of a client that is kept with the events. */
  keeps?: KeptRequest | undefined;
}

/** A request with an Idempotency-Key, as it is known again when it is sent once more. */
export interface KeptRequest {
  accountId: string;
  key: string;
  /** A digest of what was asked, in hexadecimal. */
  fingerprint: string;
  /** The id of what the request makes. */
  resourceId: string;
}

/** A stream that is not appended to, and the version that it must still have when an append that relies on it commits. */
export interface ExpectedStream {
  stream: StreamName;
  version: number;
}

/** A request that is appended only while other streams are as they were when it was decided. */
export interface RelyingRequest extends AppendRequest {
  reliesOn: readonly ExpectedStream[];
}

export type AppendOutcome =
  /** The events are on disk. `position` is the first event's; the others follow it without a gap. */
  | { outcome: 'appended'; position: number; at: Date }
  /** Somebody appended to the stream, or to one that was expected at a version, since it was read. Nothing was written. */
  | { outcome: 'conflict' }
  /** The stream `by` holds a claim of this kind. Nothing was written. */
  | { outcome: 'claimed'; kind: string; by: string }
  /** A quota of this kind is used up. Nothing was written. */
  | { outcome: 'used-up'; kind: string };

/** What becomes of a request that relies on other streams: one of those may have another version. Nothing was written then. */
export type RelyingOutcome =
  | Exclude<AppendOutcome, { outcome: 'appended' }>
  | { outcome: 'appended' }
  | { outcome: 'outdated' };

export function isAppended({ outcome }: AppendOutcome): boolean {
  return outcome === 'appended';
}

/** The names of what no other request in the same statement may touch. They may share quotas. */
export function touchedBy({ stream, claims, releases }: AppendRequest): string[] {
  return [stream, ...[...claims, ...releases].map(nameOf)];
}

/** The names of the quotas that a request counts on. */
export function quotasOf({ quotas = [] }: AppendRequest): string[] {
  return quotas.map(nameOf);
}

function nameOf({ kind, key }: { kind: string; key: string }): string {
  return `${kind} ${key}`;
}

/**
 * The requests in their order, in as few groups as possible, each of which can be one statement. What a request gives back of a quota
 * is there for the next group only.
 */
export function inTurns<Request extends AppendRequest>(requests: readonly Request[]): Request[][] {
  const turns: Request[][] = [];
  let touched = new Set<string>();
  for (const request of requests) {
    const touches = [...touchedBy(request), ...quotasOf(request)];
    const turn = turns.at(-1);
    if (turn && touches.every((name) => !touched.has(name))) turn.push(request);
    else {
      turns.push([request]);
      touched = new Set();
    }
    for (const name of touches) touched.add(name);
  }
  return turns;
}

const answerRow = z.discriminatedUnion('outcome', [
  z
    .object({
      request: z.int(),
      outcome: z.literal('appended'),
      first_position: z.coerce.number(),
      appended_at: z.date(),
    })
    .transform(({ request, outcome, first_position: position, appended_at: at }) => ({
      request,
      answer: { outcome, position, at } as const,
    })),
  z
    .object({ request: z.int(), outcome: z.literal('conflict') })
    .transform(({ request, outcome }) => ({ request, answer: { outcome } as const })),
  z
    .object({ request: z.int(), outcome: z.literal('claimed'), claim_kind: z.string(), claim_stream: z.string() })
    .transform(({ request, outcome, claim_kind, claim_stream }) => ({
      request,
      answer: { outcome, kind: claim_kind, by: claim_stream } as const,
    })),
  z
    .object({ request: z.int(), outcome: z.literal('used-up'), claim_kind: z.string() })
    .transform(({ request, outcome, claim_kind }) => ({ request, answer: { outcome, kind: claim_kind } as const })),
]);

const answerRows = z.array(answerRow);
const outdatedRow = z
  .object({ request: z.int(), outcome: z.literal('outdated') })
  .transform(({ request, outcome }) => ({ request, answer: { outcome } as const }));
const othersRows = z.array(z.union([outdatedRow, answerRow]));

/**
 * The answers in the rows of `ledger_append`, in the order of the requests.
 * @param count how many requests must have an answer; without it, those up to the last that has one
 */
export function parseAnswers(rows: unknown, count?: number): AppendOutcome[] {
  const parsed = answerRows.parse(rows);
  const answers = new Map(parsed.map(({ request, answer }) => [request, answer]));
  const length = count ?? parsed.length;
  return Array.from({ length }, (_, request) => {
    const answer = answers.get(request);
    if (!answer) throw new Error(`ledger_append gave no answer to request ${request} of ${length}`);
    return answer;
  });
}

/** The answers to requests that rely on streams, in their order. There are rows for those alone that were not appended. */
export function parseOthers(rows: unknown, count: number): RelyingOutcome[] {
  const others = new Map<number, RelyingOutcome>();
  for (const row of othersRows.parse(rows)) others.set(row.request, row.answer);
  return Array.from({ length: count }, (_, request) => others.get(request) ?? { outcome: 'appended' });
}
