/** Makes a Kafka message of an event: CloudEvents 1.0 in binary content mode, with the position in a header. */
import { idOf } from '@strongroom/contracts';
import type { EventText } from '@strongroom/ledger';
import type { Message } from 'kafkajs';

export const positionHeader = 'strongroom-position';
/** The name of the ledger. Positions are comparable only within one of them. */
export const ledgerHeader = 'strongroom-ledger';

/** The version of an event's form, which is part of the type: an event that changes gets a new one. */
const typeSuffix = 'v1';

export function cloudEventOf(
  { position, id, type, stream, instanceId, at, requestId, correlationId, traceparent, text }: EventText,
  ledger: string,
): Message & { value: string; headers: Record<string, string> } {
  // An event that can't be read is sent too, and its consumers set it aside.
  return {
    // Events of one instance keep their order, because they are in one partition.
    key: instanceId,
    value: text,
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
      // Also headers, so that a request can be followed without reading the values.
      ...(requestId !== null &&
        correlationId !== null && {
          'strongroom-request-id': requestId,
          'strongroom-correlation-id': correlationId,
        }),
      // Under the name of W3C Trace Context, by which a consumer of any kind goes on with the trace.
      ...(traceparent !== null && { traceparent }),
    },
  };
}
