/**
 * What explanations have to say, from all events of the streams that tell of a thing, folded here. The streams are known by whoever has written
 * them, so nothing is found by the statements that are measured.
 */
import { aggregateOfEvent, idOf } from '../dist/libs/contracts/src/index.js';
import { explainedEvent, explainedOfSchedules, summaryOf } from '../dist/libs/domain/src/index.js';

const ofSchedules = new Set(explainedOfSchedules);

export class FoldedExplanations {
  /** By what an answer has beside its time: what it was made from. */
  #known = new Map();

  /** @param asks what is asked: `kind`, `query`, and the names of its `own` streams, of `others`, and of its `schedule` */
  static async of(client, asks, pageSize) {
    const folded = new FoldedExplanations();
    const names = new Set(asks.flatMap(({ own, others, schedule = [] }) => [...own, ...others, ...schedule]));
    const byStream = await eventsOf(client, [...names]);
    const of = (streams = []) => streams.flatMap((stream) => byStream.get(stream) ?? []);
    for (const ask of asks) folded.#take(ask, of, pageSize);
    return folded;
  }

  #take({ id, kind, own, others, schedule, query = {} }, of, pageSize) {
    const isKnown = ({ at }) => query.as_of === undefined || at <= query.as_of;
    const known = (streams) => of(streams).filter(isKnown);
    const told = known([...own, ...others])
      .filter(({ type }) => kind !== 'schedule' || ofSchedules.has(type))
      .toSorted((one, other) => (one.at === other.at ? one.position - other.position : one.at < other.at ? -1 : 1));
    const end = query.marker === undefined ? told.length : told.findIndex((event) => event.id === query.marker);
    const page = told.slice(Math.max(0, end - pageSize), end);
    const sentences = page.map((event) => ({
      ...explainedEvent(event),
      event: { ...event, subject: { kind: aggregateOfEvent[event.type], id: idOf(event.stream) } },
    }));
    const next = end > pageSize ? page[0].id : null;
    const ofIt = known(own);
    const events = { kind, own: ofIt, pause: pauseIn(ofIt), copies: known(others), schedule: known(schedule) };
    this.#known.set(textOf({ id, kind, definition: definitionIn(ofIt), sentences, next }), events);
  }

  /** @returns how many of the bodies are none of the answers that the events give */
  differencesOf(bodies) {
    return bodies.filter((body) => {
      const { explanation, links } = JSON.parse(body);
      const [link] = links;
      const next = link === undefined ? null : new URL(link.href).searchParams.get('marker');
      const known = this.#known.get(textOf({ ...explanation, next }));
      return known === undefined || summaryOf(known, new Date(explanation.as_of)) !== explanation.summary;
    }).length;
  }
}

/** As a text in which every part has its place. */
function textOf({ id, kind, definition, sentences, next }) {
  const told = sentences.map(({ sentence, reason, ground, event: { id, type, at, subject } }) => [
    ...[sentence, reason, ground, id, type, at, subject.kind, subject.id],
  ]);
  const says = definition && Object.entries(definition).toSorted();
  return JSON.stringify([id, kind, says, told, next]);
}

/** The events since a schedule has run last, when it is paused. */
function pauseIn(events) {
  const ran = events.findLastIndex(({ data }) => data.paused !== true);
  return events.slice(ran + 1);
}

function definitionIn(events) {
  const newest = events.at(-1);
  if (newest?.type !== 'ScheduleCreated' && newest?.type !== 'ScheduleUpdated') return null;
  const { instanceId, dayOfWeek, hour, minute, fullBackupRetention, copyTo, paused } = newest.data;
  return {
    ...{ since: newest.at, instance_id: instanceId, day_of_week: dayOfWeek, hour, minute },
    ...{ full_backup_retention: fullBackupRetention, copy_to: copyTo, paused },
  };
}

async function eventsOf(client, streams) {
  const { rows } = await client.query(
    `select position::int, id, stream, version, type, account_id as "accountId", instance_id as "instanceId", at, data, context
     from ledger_event where stream = any($1) order by stream, version`,
    [streams],
  );
  const found = new Map();
  for (const row of rows) {
    const events = found.get(row.stream) ?? [];
    found.set(row.stream, events);
    events.push(eventOf(row));
  }
  return found;
}

const eventOf = (row) => ({ ...row, at: row.at.toISOString() });
