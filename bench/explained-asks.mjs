/** What the measurements of explanations ask for, and the statements of each answer. */
import { Explanations } from '../dist/apps/api/src/explanations/resource.js';
import { ExplainingEvents } from '../dist/libs/ledger/src/index.js';
import { accountId } from './services.mjs';

const things = 200;
export const pageSize = 100;
/** An account that has one schedule. */
export const small = 'small-0';

/** So many numbers below a limit, the same ones in each run. */
function spread(below, count = things) {
  return Array.from(
    { length: count },
    (_, at) => Math.floor((at * below) / count) + (at % 2 === 0 ? 0 : Math.floor(below / count / 2)),
  );
}

/** What is asked, by kind: the id, the query, and the streams that tell of it. */
export async function asksOf(ledger, client) {
  const large = spread(ledger.schedules)
    .map((number) => ledger.schedule(number))
    .filter((each) => each.accountId === accountId);
  const ofBackup = ({ backupId, copyId }) => [`backup-${backupId}`, `copy-${copyId}`];
  const scheduleOf = ({ scheduleId, backups }) => ({
    ...{ id: scheduleId, kind: 'schedule', own: [`schedule-${scheduleId}`] },
    others: backups.map(({ backupId }) => `backup-${backupId}`),
  });
  const backupOf = (schedule, backup) => ({
    ...{ id: backup.backupId, kind: 'backup', own: [`backup-${backup.backupId}`] },
    ...{ others: [`copy-${backup.copyId}`], schedule: [`schedule-${schedule.scheduleId}`] },
  });
  const only = (kind, id) => ({ id, kind, own: [`${kind}-${id}`], others: [] });
  const long = ledger.longSchedule();
  const { rows } = await client.query(
    `select id, at from ledger_event where stream = any($1) and type = 'BackupCompleted' order by at`,
    [spread(long.backups.length).map((at) => ofBackup(long.backups[at])[0])],
  );
  const longAsked = (query) => ({ ...scheduleOf(long), query });
  return {
    'a schedule': large.map(scheduleOf),
    'a backup': large.map((each, at) => backupOf(each, each.backups[at % each.backups.length])),
    'a copy': large.map(({ backups }, at) => only('copy', backups[at % backups.length].copyId)),
    'an instance': large.map(({ instanceId }) => only('instance', instanceId)),
    [`a schedule of ${long.backups.length} runs`]: [longAsked({})],
    'a page of it further back': rows.map(({ id }) => longAsked({ marker: id })),
    'the same schedule as of a past instant': rows.map(({ at }) => longAsked({ as_of: at.toISOString() })),
    'a backup of it': spread(long.backups.length).map((at) => backupOf(long, long.backups[at])),
    'a schedule of a small account': [{ ...scheduleOf(ledger.schedule(0)), account: small }],
  };
}

/** The statements of one answer, with their values. */
export async function statementsOf(client, { id, query = {}, account = accountId }) {
  const sent = [];
  const recorder = {
    query: async (text, values) => {
      sent.push({ text, values });
      return (await client.query(text, values)).rows;
    },
  };
  const config = { homeRegion: 'DFW', copyRegions: ['IAD'] };
  const explanations = new Explanations(new ExplainingEvents(recorder), { now: () => new Date() }, config);
  const asOf = query.as_of === undefined ? undefined : new Date(query.as_of);
  const found = await explanations.find({ accountId: account }, id, asOf);
  await found.sentences({ limit: pageSize, marker: query.marker });
  return sent;
}
