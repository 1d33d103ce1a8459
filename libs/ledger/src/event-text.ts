/**
 * Committed events as texts, for a reader that carries them on. The database writes the JSON of an event's data and context, and
 * nobody parses it on the way.
 */
import { z } from 'zod';

export interface EventText {
  position: number;
  id: string;
  type: string;
  stream: string;
  instanceId: string;
  /** ISO 8601, UTC. */
  at: string;
  /** As the context of the event has it; null when it has none. */
  requestId: string | null;
  correlationId: string | null;
  traceparent: string | null;
  /** The envelope as JSON, for `parseEvent`. */
  text: string;
}

/** A time that is none, such as infinity, is left to the reader of the event: it is of no known form. */
const at = `coalesce(to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), at::text)`;

/** The data of so many bytes together are read at a time: an event may have 64 KiB of certificates. */
export const mostTextBytes = 4_000_000;

/**
 * The next events of a kind of aggregate beyond a position, in order: $1 is the kind, $2 the position, $3 how many, $4 with how many bytes
 * of data. The event that goes beyond the bytes is the last.
 */
export const eventTexts = `select position, id, type, stream, version, account_id as "accountId", instance_id as "instanceId", ${at} as at,
  context->>'requestId' as "requestId", context->>'correlationId' as "correlationId",
  context->>'traceparent' as traceparent, written as data, context::text as context
  from (
    select e.*, written, sum(octet_length(written)) over (order by position rows unbounded preceding) - octet_length(written) as bytes_before
    from ledger_next_of_kind($1, $2, $3) e cross join lateral (select e.data::text as written offset 0) of_data
  ) bounded where bytes_before < $4 order by position`;

/** SQL: the position of the newest event of a kind of aggregate, which another expression names; 0 before the first. */
export function newestOfKind(aggregate: string): string {
  return `coalesce((select e.position from ledger_event e where e.aggregate = ${aggregate} order by e.position desc limit 1), 0)`;
}

export const eventTextRows = z.array(
  z
    .object({
      position: z.coerce.number(),
      id: z.string(),
      type: z.string(),
      stream: z.string(),
      version: z.int(),
      accountId: z.string(),
      instanceId: z.string(),
      at: z.string(),
      requestId: z.string().nullable(),
      correlationId: z.string().nullable(),
      traceparent: z.string().nullable(),
      data: z.string(),
      context: z.string(),
    })
    .transform(({ version, accountId, data, context, ...rest }): EventText => {
      const { position, id, type, stream, instanceId, at } = rest;
      // In the order of the envelope of `eventRow`.
      const head = JSON.stringify({ position, id, stream, version, type, at }).slice(0, -1);
      const end = JSON.stringify({ accountId, instanceId }).slice(1);
      return { ...rest, text: `${head},"data":${data},"context":${context},${end}` };
    }),
);
