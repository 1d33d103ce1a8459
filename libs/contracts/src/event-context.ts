/** Who caused an event, and by which request. It is passed on to everything that follows from the request. */
import { z } from 'zod';
import { actorDetails, serviceActor } from './actors.js';
import { uuid } from './primitives.js';

export const eventContext = z.strictObject({
  requestId: z.string().min(1).max(128),
  correlationId: z.string().min(1).max(128),
  /** The event that this one follows from. */
  causationId: uuid.nullable(),
  /** The name of the request's token, or of the process that did it. */
  actor: z.string().min(1).max(128),
  /** Who that is. Events of older versions have none. */
  actorDetails: actorDetails.optional(),
  /** Why the actor did it, in the actor's own words. It is said of this event alone, and of nothing that follows from it. */
  reason: z.string().min(1).max(500).optional(),
  /** The id that the client has given to its request, and the one that it gave to several. They name nothing of ours. */
  clientRequestId: z.string().min(1).max(128).optional(),
  clientCorrelationId: z.string().min(1).max(128).optional(),
  /** The span in which it was recorded, as W3C Trace Context writes it. Events have it where traces are told to a collector. */
  traceparent: z
    .string()
    .regex(/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/)
    .optional(),
});
export type EventContext = z.infer<typeof eventContext>;

/** The context of what a process of ours does because of an event. @param service the name of the process or the component */
export function causedBy({ id, context }: { id: string; context: EventContext }, service: string): EventContext {
  const { reason: _, ...passedOn } = context;
  return { ...passedOn, causationId: id, ...serviceActor(service) };
}

/** The context of what a process of ours does by itself. */
export function begunBy(service: string, requestId: string): EventContext {
  return { requestId, correlationId: requestId, causationId: null, ...serviceActor(service) };
}
