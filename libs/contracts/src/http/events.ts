/** The schema and the operation of the account's events: over HTTP, a client without a broker reads what subscribers get. */
import { z } from 'zod';
import { actorDetails } from '../actors.js';
import { eventType } from '../recorded-events.js';
import { aggregate } from '../streams.js';
import { links, utcTime } from './fields.js';
import { accountPath, type Operation } from './operation.js';

export const eventResource = z.object({
  id: z.string(),
  type: eventType,
  at: utcTime,
  /** What the event happened to. `version` counts the events of that subject, from 1. */
  subject: z.object({ kind: aggregate, id: z.string() }),
  version: z.int(),
  instance_id: z.string(),
  /** Its shape is that of the event's type. */
  data: z.unknown(),
  request_id: z.string(),
  correlation_id: z.string(),
  causation_id: z.string().nullable(),
  actor: z.string(),
  /** Who the actor is; null for events of older versions. */
  actor_details: actorDetails.nullable(),
  /** Why the actor did it, where the actor has said so. */
  reason: z.string().nullable(),
  /** What the client called its request, and the work that it belongs to; null when it gave them no id. */
  client_request_id: z.string().nullable(),
  client_correlation_id: z.string().nullable(),
});
export type EventResource = z.infer<typeof eventResource>;

export const eventsResponse = z.object({ events: z.array(eventResource), links });

export const getEvents = {
  name: 'getEvents',
  rights: ['event.read'],
  method: 'GET',
  path: `${accountPath}/events`,
  summary: 'List the events of the account, oldest first; with Accept: text/event-stream, stream them as they happen',
  notes:
    'With `since`, both begin at an instant, without reading what came before it. Up to a minute of that may come first: the clock of a database may have been set back.',
  status: 200,
  response: eventsResponse,
  query: ['limit', 'marker', 'since'],
  streams: true,
  faults: ['overLimit'],
} as const satisfies Operation;

export const eventOperations: readonly Operation[] = [getEvents];
