/** A row of `ledger_event`: the columns that are read, and the forms in which readers get them. */
import { z } from 'zod';

/** A committed event as the ledger gives it. It is not parsed yet: its reader checks its form. */
export interface TailRow {
  position: number;
  id: string;
  type: string;
  stream: string;
  instanceId: string;
  /** ISO 8601, UTC. */
  at: string;
  /** The envelope, for `parseEvent`. */
  event: unknown;
}

export const eventColumns = 'position, id, stream, version, type, account_id, instance_id, at, data, context';

/** A time that is none, such as infinity, is left to the reader of the event: it is of no known form. */
const at = z.unknown().transform((value) => {
  const isTime = value instanceof Date && !Number.isNaN(value.getTime());
  return isTime ? value.toISOString() : String(value);
});

export const eventRow = z
  .object({
    position: z.coerce.number(),
    id: z.string(),
    stream: z.string(),
    version: z.int(),
    type: z.string(),
    account_id: z.string(),
    instance_id: z.string(),
    at,
    data: z.unknown(),
    context: z.unknown(),
  })
  .transform(({ account_id, instance_id, ...rest }) => ({ ...rest, accountId: account_id, instanceId: instance_id }));

export const tailRows = z.array(eventRow).transform((rows): TailRow[] =>
  rows.map((event) => ({
    position: event.position,
    id: event.id,
    type: event.type,
    stream: event.stream,
    instanceId: event.instanceId,
    at: event.at,
    event,
  })),
);
