/**
 * The statements that append. The jobs that events ask for, and the requests of clients that made them, are written in the same
 * statement, so that no failure leaves one without the others.
 */
import { aggregateOf } from '@strongroom/contracts';
import { workAskedBy } from '@strongroom/domain';
import { type AppendRequest, type ExpectedStream, inTurns, type RelyingRequest } from './append-request.js';
import { storable } from './storable.js';

interface Statement {
  text: string;
  values: (string | null | readonly (number | null)[] | readonly string[])[];
}

/** Each request is appended by itself, or refused by itself. */
export function appendStatement(requests: readonly AppendRequest[]): Statement {
  return { text: `select * from ${atOnce}`, values: valuesOf(requests, []) };
}

/**
 * Each request is appended by itself, as long as the streams that it relies on are at their versions. It gives rows for the others alone.
 */
export function relyingStatement(requests: readonly RelyingRequest[]): Statement {
  const relied = requests.flatMap(({ reliesOn }, request) => reliesOn.map((each) => ({ request, ...each })));
  return { text: `select * from ${atOnce} where outcome <> 'appended'`, values: valuesOf(requests, relied) };
}

const atOnce = 'ledger_append_at_once($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)';

function valuesOf(
  requests: readonly AppendRequest[],
  relied: readonly (ExpectedStream & { request: number })[],
): Statement['values'] {
  const work = workOf(requests);
  const kept = keptOf(requests).map(({ request, kept: each }) => ({ request, ...each }));
  return [
    storable(JSON.stringify(requests.map((each, request) => asRequest(each, request)))),
    relied.map(({ request }) => request),
    relied.map(({ stream }) => stream),
    relied.map(({ version }) => version),
    work.map(({ request }) => request),
    work.map(({ place }) => place),
    work.map(({ job }) => job.kind),
    work.map(({ job }) => job.id),
    work.map(({ job: { lane = '' } }) => lane),
    work.map(({ job }) => job.accountId),
    work.map(({ job: { totalBytes = null } }) => totalBytes),
    kept.length > 0 ? JSON.stringify(kept) : null,
  ];
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
  let number = 0;
  const turns = inTurns(requests).map((turn) => turn.map((request) => asRequest(request, number++)));
  return {
    text: kept.length > 0 ? togetherAndKept : together,
    values: [
      storable(JSON.stringify(turns)),
      JSON.stringify(expects),
      JSON.stringify(workOf(requests)),
      ...(kept.length > 0 ? [JSON.stringify(kept)] : []),
    ],
  };
}

/** A request as the functions of the ledger take it. Its number is its place. What it has none of is left out. */
function asRequest(asked: AppendRequest, request: number) {
  const { stream, expectedVersion, accountId, instanceId, context, events, claims, releases, quotas = [] } = asked;
  const some = <Each>(list: Each[]) => (list.length > 0 ? list : undefined);
  return {
    ...{ request, stream, expectedVersion, accountId, instanceId, context, events },
    aggregate: aggregateOf(stream),
    ...{ claims: some(claims), releases: some(releases), quotas: some(quotas) },
  };
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
