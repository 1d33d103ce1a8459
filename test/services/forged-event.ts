/** Puts an event into the ledger past ledger_append, as nobody but the owner of its table can. */
import { randomUUID } from 'node:crypto';
import { aggregateOf, type NewEvent, type StreamName } from '@strongroom/contracts';
import type { DataSource } from 'typeorm';

export async function forgeEvent(
  dataSource: DataSource,
  {
    stream,
    accountId,
    instanceId,
    event,
    at,
    reason,
  }: {
    stream: StreamName;
    accountId: string;
    instanceId: string;
    event: NewEvent;
    /** Its recorded time. Default: now. */
    at?: Date;
    /** What the actor has said to it. Default: nothing. */
    reason?: string | undefined;
  },
): Promise<void> {
  const context = { requestId: 'forged', correlationId: 'forged', causationId: null, actor: 'forger', reason };
  await dataSource.query(
    `insert into ledger_event (id, stream, version, aggregate, type, account_id, instance_id, at, data, context)
     select $1, $2, (select coalesce(max(version), 0) + 1 from ledger_event where stream = $2), $3, $4, $5, $6,
       coalesce($9, date_trunc('milliseconds', clock_timestamp())), $7, $8`,
    [randomUUID(), stream, aggregateOf(stream), event.type, accountId, instanceId, event.data, context, at ?? null],
  );
}
