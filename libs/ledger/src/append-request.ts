/** One append as it is asked for and answered. */
import type { EventContext, NewEvent, StreamName } from '@strongroom/contracts';
import { z } from 'zod';

export interface AppendRequest {
  stream: StreamName;
  /** The version that the decision was made on; 0 for a stream that is not there yet. */
  expectedVersion: number;
  accountId: string;
  instanceId: string;
  context: EventContext;
  events: (NewEvent & { id: string })[];
  /** Taken with the events; one that another stream holds stops the append. */
  claims: { kind: string; key: string }[];
  /** Given back with the events. */
  releases: { kind: string; key: string }[];
  /** Counted with the events; one that would be exceeded stops the append. */
  quotas?: { kind: string; key: string; by: number; most: number }[];
}

export type AppendOutcome =
  /** On disk. `position` is the first event's; the others follow it without a gap. */
  | { outcome: 'appended'; position: number; at: Date }
  /** Somebody appended to the stream since it was read. Nothing was written. */
  | { outcome: 'conflict' }
  /** The stream `by` holds a claim of this kind. Nothing was written. */
  | { outcome: 'claimed'; kind: string; by: string }
  /** A quota of this kind is used up. Nothing was written. */
  | { outcome: 'used-up'; kind: string };

const answerRow = z.discriminatedUnion('outcome', [
  z
    .object({
      request: z.int(),
      outcome: z.literal('appended'),
      first_position: z.coerce.number(),
      appended_at: z.date(),
    })
    .transform(({ request, outcome, first_position, appended_at }) => ({
      request,
      answer: { outcome, position: first_position, at: appended_at } as const,
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

/** The rows of `ledger_append`, as the answers to the requests in their order. */
export function parseAnswers(rows: unknown, count: number): AppendOutcome[] {
  const answers = new Map(
    z
      .array(answerRow)
      .parse(rows)
      .map(({ request, answer }) => [request, answer]),
  );
  return Array.from({ length: count }, (_, request) => {
    const answer = answers.get(request);
    if (!answer) throw new Error(`ledger_append gave no answer to request ${request} of ${count}`);
    return answer;
  });
}
