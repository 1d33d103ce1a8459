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

const eventRow = z
  .object({
    position: z.coerce.number(),
    id: z.string(),
    stream: z.string(),
    version: z.int(),
    type: z.string(),
    account_id: z.string(),
    instance_id: z.string(),
    // A time that is none, such as PostgreSQL's infinity, makes its own event unreadable, and not those beside it.
    at: z
      .unknown()
      .transform((at) => (at instanceof Date && !Number.isNaN(at.getTime()) ? at.toISOString() : String(at))),
    data: z.unknown(),
    context: z.unknown(),
  })
  .transform(({ account_id, instance_id, ...rest }) => ({ ...rest, accountId: account_id, instanceId: instance_id }));

export const eventRows = z.array(eventRow);

export const tailRows = eventRows.transform((rows): TailRow[] =>
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
