/** The schemas and the operation of explanations: why something is as it is, in sentences that name their events. */
import { z } from 'zod';
import { eventType } from '../recorded-events.js';
import { aggregate } from '../streams.js';
import { links, utcTime } from './fields.js';
import { accountPath, type Operation } from './operation.js';

export const explainedSentence = z.object({
  sentence: z.string(),
  /** A code for programs: docs/reasons.md has them all. */
  reason: z.string(),
  /** What the event has as ground or code; null when it has neither. */
  ground: z.string().nullable(),
  /** The event that says it. */
  event: z.object({
    id: z.string(),
    type: eventType,
    at: utcTime,
    /** Its place in the ledger. */
    position: z.int(),
    subject: z.object({ kind: aggregate, id: z.string() }),
  }),
});
export type ExplainedSentence = z.infer<typeof explainedSentence>;

export const explanationResource = z.object({
  id: z.string(),
  kind: aggregate,
  /** The instant that is answered for. */
  as_of: utcTime,
  /** The answer in short. */
  summary: z.string(),
  /** What a schedule said then; null for anything else, and for a schedule that was deleted. */
  definition: z
    .object({
      since: utcTime,
      instance_id: z.string(),
      day_of_week: z.int(),
      hour: z.int(),
      minute: z.int(),
      full_backup_retention: z.int(),
      copy_to: z.array(z.string()),
      paused: z.boolean(),
    })
    .nullable(),
  /** The newest of them that the page has room for, oldest first. */
  sentences: z.array(explainedSentence),
});
export type ExplanationResource = z.infer<typeof explanationResource>;

export const explanationResponse = z.object({ explanation: explanationResource, links });

export const getExplainId = {
  name: 'getExplainId',
  rights: ['event.read'],
  method: 'GET',
  path: `${accountPath}/explain/{id}`,
  summary: 'Say why a schedule, a backup, a copy or an instance is as it is, or as it was at an instant',
  notes:
    'Each sentence names the event that says it. A page has the newest sentences, oldest first, and the link `next` leads to older ones. Of a schedule, the sentences of its runs are among them; of a backup, those of its copies.',
  status: 200,
  response: explanationResponse,
  query: ['limit', 'marker', 'as_of'],
} as const satisfies Operation;

export const explanationOperations: readonly Operation[] = [getExplainId];
