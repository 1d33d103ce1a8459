/** An item of the audit, as the API shows it and as it is exported. */
import { type AuditResource, aggregateOfEvent, auditedEvents, idOf, type RecordedEvent } from '@strongroom/contracts';
import type { LedgerItem, RecordedAuditEntry } from '@strongroom/ledger';
import { shownName } from '@strongroom/runtime';

/** @returns undefined for an event that is not audited */
export function auditOfEvent(event: RecordedEvent): AuditResource | undefined {
  const type = auditedEvents.find((each) => each === event.type);
  if (type === undefined) return undefined;
  const { id, at, stream, instanceId, data, context } = event;
  return {
    id,
    at,
    type,
    actor: shownName(context.actor),
    actor_details: context.actorDetails ?? null,
    reason: context.reason ?? null,
    subject: { kind: aggregateOfEvent[type], id: idOf(stream) },
    instance_id: instanceId,
    request_id: context.requestId,
    client_request_id: context.clientRequestId ?? null,
    causation_id: context.causationId,
    data,
  };
}

export function auditOfEntry({ id, at, entry }: RecordedAuditEntry): AuditResource {
  const refused = entry.type === 'RequestsRefused' ? entry.data : undefined;
  return {
    id,
    at: at.toISOString(),
    type: entry.type,
    actor: entry.actor?.name ?? null,
    actor_details: entry.actor,
    reason: null,
    subject: null,
    instance_id: null,
    request_id: refused?.request_id ?? null,
    client_request_id: refused?.client_request_id ?? null,
    causation_id: null,
    data: entry.data,
  };
}

export function auditOf(item: LedgerItem): AuditResource[] {
  if ('recorded' in item) return [auditOfEntry(item.recorded)];
  return [auditOfEvent(item.event) ?? []].flat();
}
