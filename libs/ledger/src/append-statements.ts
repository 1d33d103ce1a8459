/**
 * The statements that append. The jobs that events ask for, and the requests of clients that made them, are written in the same
 * statement, so that no failure leaves one without the others.
 */
import { aggregateOf } from '@strongroom/contracts';
import { workAskedBy } from '@strongroom/domain';
import { type AppendRequest, type ExpectedStream, inTurns } from './append-request.js';
import { storable } from './storable.js';

interface Statement {
  text: string;
  values: (string | null)[];
}

/** Each request is appended by itself, or refused by itself. */
export function appendStatement(requests: readonly AppendRequest[]): Statement {
  const kept = keptOf(requests);
  return {
    text: 'select * from ledger_append_with($1, $2, $3)',
    values: [
      storable(JSON.stringify(requests.map(asRequest))),
      JSON.stringify(workOf(requests)),
      kept.length > 0 ? JSON.stringify(kept) : null,
    ],
  };
}

const together = 'select * from ledger_append_together($1, $2, $3)';
/** Only a service that has rights on the requests of clients may name them. */
const togetherAndKept = `with appended as materialized (${together}), kept as materialized (
    select request_keep(coalesce(jsonb_agg(asked.kept), '[]')) as done
    from appended join jsonb_to_recordset($4) as asked(request integer, kept jsonb) using (request)
    where not exists (select from appended other where other.outcome <> 'appended')
  ) select appended.* from appended cross join kept`;

/** All of the requests are appended, or none. */
export function togetherStatement(requests: readonly AppendRequest[], expects: readonly ExpectedStream[]): Statement {
  const kept = keptOf(requests);
  return {
    text: kept.length > 0 ? togetherAndKept : together,
    values: [
      storable(JSON.stringify(inTurns(requests.map(asRequest)))),
      JSON.stringify(expects),
      JSON.stringify(workOf(requests)),
      ...(kept.length > 0 ? [JSON.stringify(kept)] : []),
    ],
  };
}

/** A request as the functions of the ledger take it. Its number is its place. */
function asRequest({ keeps: _, ...request }: AppendRequest, number: number) {
  return { ...request, request: number, aggregate: aggregateOf(request.stream) };
}

/** The requests of clients that are kept with the appends. */
function keptOf(requests: readonly AppendRequest[]) {
  return requests.flatMap(({ keeps }, request) => (keeps ? [{ request, kept: keeps }] : []));
}

/** The jobs that the events of the requests ask for. */
function workOf(requests: readonly AppendRequest[]) {
  return requests.flatMap(({ accountId, events }, request) =>
    events.flatMap((event, place) => workAskedBy(event).map((job) => ({ request, place, job: { ...job, accountId } }))),
  );
}
