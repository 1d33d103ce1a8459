/** Compares each row of the views with what the events of its stream give, folded stream by stream in another order than by the product. */
import { parseEvent } from '../dist/libs/contracts/src/index.js';
import { backupDecider, fold } from '../dist/libs/domain/src/index.js';
import { backupView, copyView, instanceView, rowOf, runView, scheduleView } from '../dist/libs/read-model/src/index.js';

const views = {
  instance_view: instanceView,
  schedule_view: scheduleView,
  backup_view: backupView,
  run_view: runView,
  copy_view: copyView,
};
const streamsAtOnce = 2_000;

/** A row as the table has it: the names of the columns, and times as text. */
function asTable(view, row) {
  if (!row) return undefined;
  const columns = view.table.options.columns;
  return Object.fromEntries(
    Object.entries(columns).map(([property, column]) => {
      const value = row[property] ?? null;
      return [column.name ?? property, value instanceof Date ? value.toISOString() : value];
    }),
  );
}

function isSame(one, other) {
  return JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
}

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  );
}

/**
 * @param part one stream of so many is compared. Default: all
 * @returns how many rows differ, are missing or are too many, and how many there should be
 */
export async function differencesOf(client, part = 1) {
  const isOfPart = (stream) => `hashtext(${stream}) % ${part} = 0`;
  let differences = 0;
  const expected = Object.fromEntries(Object.keys(views).map((name) => [name, 0]));
  for (let last = 'zzz'; ; ) {
    // From the last stream to the first: the product begins with the first account.
    const { rows } = await client.query(
      `select stream from ledger_event where version = 1 and stream < $1 and ${isOfPart('stream')} order by stream desc limit ${streamsAtOnce}`,
      [last],
    );
    if (rows.length === 0) break;
    const streams = rows.map(({ stream }) => stream);
    last = streams.at(-1);
    const events = await eventsOf(client, streams);
    for (const [name, view] of Object.entries(views)) {
      const own = streams.filter((stream) => stream.startsWith(`${view.aggregate}-`));
      if (own.length === 0) continue;
      const ids = own.map((stream) => stream.slice(view.aggregate.length + 1));
      const found = await client.query(`select id, to_jsonb(t) as row from ${name} t where id = any($1::uuid[])`, [
        ids,
      ]);
      const there = new Map(found.rows.map(({ id, row }) => [id, row]));
      for (const [at, stream] of own.entries()) {
        const wanted = asTable(view, rowOf(view, events.get(stream)));
        if (wanted) expected[name] += 1;
        const row = there.get(ids[at]);
        if (!(wanted && row ? isSame(wanted, withTimes(view, row)) : !wanted && !row)) differences += 1;
        else if (name === 'backup_view' && wanted && !isAsDecided(wanted, events.get(stream))) differences += 1;
      }
    }
  }
  for (const [name, count] of Object.entries(expected)) {
    const { rows } = await client.query(
      `select count(*)::int as count from ${name} where ${isOfPart(`'${views[name].aggregate}-' || id`)}`,
    );
    differences += Math.abs(rows[0].count - count);
  }
  return { differences, rows: Object.values(expected).reduce((sum, each) => sum + each, 0) };
}

/** The domain folds the same events to a state of its own, from which it decides. */
function isAsDecided({ status }, events) {
  return fold(backupDecider, events).is === { NEW: 'requested', BUILDING: 'running', COMPLETED: 'completed' }[status];
}

async function eventsOf(client, streams) {
  const { rows } = await client.query(
    `select position, id, stream, version, type, account_id as "accountId", instance_id as "instanceId", at, data, context
     from ledger_event where stream = any($1) order by stream, version`,
    [streams],
  );
  const byStream = new Map(streams.map((stream) => [stream, []]));
  for (const row of rows)
    byStream.get(row.stream).push(parseEvent({ ...row, position: Number(row.position), at: row.at.toISOString() }));
  return byStream;
}

function withTimes(view, row) {
  const times = Object.entries(view.table.options.columns).filter(([, { type }]) => type === 'timestamptz');
  const changed = times.map(([property, { name = property }]) => [
    name,
    row[name] && new Date(row[name]).toISOString(),
  ]);
  return { ...row, ...Object.fromEntries(changed) };
}
