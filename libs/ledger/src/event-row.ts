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

const columns = [
  ...(['position', 'id', 'stream', 'version', 'type'] as const),
  ...(['account_id', 'instance_id', 'at', 'data', 'context'] as const),
] as const;
export const eventColumns = columns.join(', ');
type Columns = Partial<Record<(typeof columns)[number], unknown>>;

/** The columns with the instant as a text, which `timeOf` reads with less work than the driver makes a Date. */
export const eventColumnsWithText = columns
  .map((each) => (each === 'at' ? `(at at time zone 'UTC')::text as at` : each))
  .join(', ');
const instantText = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?$/;

/** A time that is none, such as infinity, is left to the reader of the event: it is of no known form. */
function timeOf(value: unknown): string {
  if (typeof value === 'string' && instantText.test(value)) {
    return `${value.slice(0, 10)}T${value.slice(11, 19)}.${value.slice(20, 23).padEnd(3, '0')}Z`;
  }
  const isTime = value instanceof Date && !Number.isNaN(value.getTime());
  return isTime ? value.toISOString() : String(value);
}
const at = z.unknown().transform(timeOf);

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

/** The envelope of the event that a row holds. It is not parsed yet: its reader finds what is wrong with it. */
export function envelopeIn(row: unknown): unknown {
  if (typeof row !== 'object' || row === null) return row;
  const { position, id, stream, version, type, account_id, instance_id, at, data, context } = row as Columns;
  const of = { accountId: account_id, instanceId: instance_id };
  return { id, position: Number(position), stream, version, type, ...of, at: timeOf(at), data, context };
}

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
