/** An event as the API shows it. */
import { aggregateOfEvent, type EventResource, idOf, type RecordedEvent } from '@strongroom/contracts';
import { shownName } from '@strongroom/runtime';

export function eventResource(event: RecordedEvent): EventResource {
  const { id, type, at, stream, version, instanceId, context } = event;
  return {
    id,
    type,
    at,
    subject: { kind: aggregateOfEvent[type], id: idOf(stream) },
    version,
    instance_id: instanceId,
    data: shownData(event),
    request_id: context.requestId,
    correlation_id: context.correlationId,
    causation_id: context.causationId,
    actor: shownName(context.actor),
    actor_details: context.actorDetails ?? null,
    reason: context.reason ?? null,
    client_request_id: context.clientRequestId ?? null,
    client_correlation_id: context.clientCorrelationId ?? null,
  };
}

function shownData({ type, data }: RecordedEvent): RecordedEvent['data'] {
  if (type === 'BackupStarted') return { ...data, runner: shownName(data.runner) };
  if (type === 'CopyStarted') return { ...data, replicator: shownName(data.replicator) };
  return data;
}
