/** An event of the ledger as a Kafka message: CloudEvents 1.0 in binary content mode, the place in the ledger beside it. */
import { idOf } from '@strongroom/contracts';
import type { TailRow } from '@strongroom/ledger';
import type { Message } from 'kafkajs';

export const positionHeader = 'strongroom-position';

/** The version of an event's form is in its type: an event that changes gets a new one. */
const typeSuffix = 'v1';

export function messageOf({ position, id, type, stream, instanceId, at, event }: TailRow): Message & { value: string } {
  return {
    // Events of one instance keep their order.
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
    },
  };
}
