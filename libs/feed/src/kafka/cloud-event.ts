/** Makes a Kafka message of an event: CloudEvents 1.0 in binary content mode, with the position in a header. */
import { eventContext, idOf } from '@strongroom/contracts';
import type { TailRow } from '@strongroom/ledger';
import type { Message } from 'kafkajs';
import { z } from 'zod';

export const positionHeader = 'strongroom-position';
/** The name of the ledger. Positions are comparable only within one of them. */
export const ledgerHeader = 'strongroom-ledger';

/** The version of an event's form, which is part of the type: an event that changes gets a new one. */
const typeSuffix = 'v1';

/** The parts of the context that are also headers, so that a request can be followed without reading the values. */
const { requestId, correlationId } = eventContext.shape;
const traced = z.object({ context: z.object({ requestId, correlationId }) });

export function cloudEventOf(
  { position, id, type, stream, instanceId, at, event }: TailRow,
  ledger: string,
): Message & { value: string; headers: Record<string, string> } {
  // An event that can't be read is sent too, and its consumers set it aside.
  const { data: trace } = traced.safeParse(event);
  return {
    // Events of one instance keep their order, because they are in one partition.
    key: instanceId,
    value: JSON.stringify(event),
    headers: {
      ce_specversion: '1.0',
      ce_id: id,
      ce_source: '/strongroom',
      ce_type: `strongroom.${type}.${typeSuffix}`,
      ce_time: at,
      ce_subject: `${stream.slice(0, stream.indexOf('-'))}/${idOf(stream)}`,
      'content-type': 'application/json; charset=utf-8',
      [positionHeader]: String(position),
      [ledgerHeader]: ledger,
      ...(trace && {
        'strongroom-request-id': trace.context.requestId,
        'strongroom-correlation-id': trace.context.correlationId,
      }),
    },
  };
}
