/**
 * The history of many accounts, written into the ledger by SQL. Each account has an instance, a schedule and backups, each backup with a
 * copy. Step by step, one event of each account is written, so that the events of an account lie far apart in the ledger. The events
 * have no links, as those of versions before there were links.
 */

/** The events of a backup and its copy, in order. */
const ofBackup = [
  'BackupRequested',
  'BackupStarted',
  'BackupCompleted',
  'CopyRequested',
  'CopyStarted',
  'CopyCompleted',
];

const timing = `'dayOfWeek', 7, 'hour', 3, 'minute', 30, 'fullBackupRetention', 2, 'copyTo', '["IAD"]'::jsonb, 'paused', false`;
const datastore = `'{"type": "postgresql", "version": "18.4"}'::jsonb`;
const sha256 = `md5(account) || md5(account)`;
const time = (at) => `to_char(${at} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** By type: the kind of the stream, its version, and the data. They name the columns of `writeEvents`. */
const events = {
  InstanceRegistered: [
    'instance',
    1,
    `'name', account, 'datastore', ${datastore}, 'endpoint',
    '{"host": "db.example", "port": 5432, "user": "backup", "database": "postgres", "tls": "require"}'::jsonb`,
  ],
  ScheduleCreated: ['schedule', 1, timing],
  BackupRequested: [
    'backup',
    1,
    `'scheduleId', schedule_id, 'slotAt', ${time('at')}, 'trigger', 'slot', 'type', 'full',
    'parentId', null, 'name', 'daily', 'description', null, 'datastore', ${datastore}, 'copyTo', '["IAD"]'::jsonb`,
  ],
  BackupStarted: ['backup', 2, `'attempt', 1, 'region', 'DFW', 'runner', 'bench'`],
  BackupCompleted: [
    'backup',
    3,
    `'scheduleId', schedule_id, 'type', 'full', 'parentId', null, 'attempt', 1, 'region', 'DFW',
    'location', 'backups/' || backup_id, 'sizeBytes', 5000000000, 'rawBytes', 9000000000, 'sha256', ${sha256},
    'copyTo', '["IAD"]'::jsonb, 'startedAt', ${time('at')}`,
  ],
  CopyRequested: [
    'copy',
    1,
    `'region', 'IAD', 'sourceRegion', 'DFW', 'parentId', null, 'sizeBytes', 5000000000, 'sha256', ${sha256}`,
  ],
  CopyStarted: ['copy', 2, `'region', 'IAD', 'attempt', 1, 'replicator', 'bench'`],
  CopyCompleted: [
    'copy',
    3,
    `'region', 'IAD', 'attempt', 1, 'location', 'backups/' || backup_id, 'sizeBytes', 5000000000,
    'sha256', ${sha256}, 'startedAt', ${time('at')}`,
  ],
};
/** The ids that the data of each kind names, beside the instance's. */
const named = {
  instance: '',
  schedule: `'scheduleId', schedule_id,`,
  backup: `'backupId', backup_id,`,
  copy: `'copyId', copy_id, 'backupId', backup_id,`,
};
const withoutInstance = new Set(['BackupStarted', 'CopyStarted']);

/** The types of the events of one account, in order, and of which backup each is. */
export function stepsOf(backups) {
  const ofBackups = Array.from({ length: backups }, (_, backup) => ofBackup.map((type) => ({ type, backup })));
  return [{ type: 'InstanceRegistered', backup: 0 }, { type: 'ScheduleCreated', backup: 0 }, ...ofBackups.flat()];
}

/** @param prefix of the accounts' names @returns the ids of the accounts */
export function accountsOf(prefix, count) {
  return Array.from({ length: count }, (_, number) => `${prefix}-${number}`);
}

/** Writes one event of each of the accounts. */
export async function writeStep(client, { prefix, accounts, step, number }) {
  const ofBackup = (kind) => `md5('${kind} ' || account || ' ${step.backup}')::uuid as ${kind}_id`;
  const ofAccount = (kind) => `md5('${kind} ' || account)::uuid as ${kind}_id`;
  await writeEvents(client, step.type, {
    rows: `select account, md5('event ' || account || ' ${number}')::uuid as id, ${ofAccount('instance')}, ${ofAccount('schedule')},
        ${ofBackup('backup')}, ${ofBackup('copy')}, timestamptz '2026-01-01' + interval '1 minute' * ${number} as at
      from (select $1 || '-' || n as account from generate_series(0, $2::int - 1) n) accounts`,
    values: [prefix, accounts],
  });
}

/**
 * Writes events of one type.
 * @param made.rows SQL that gives for each event its account, id and time, and the ids of its instance, schedule, backup and copy
 */
export async function writeEvents(client, type, { rows, values }) {
  const [kind, version, data] = events[type];
  const instance = withoutInstance.has(type) ? '' : `'instanceId', instance_id,`;
  await client.query(
    `insert into ledger_event (id, stream, version, aggregate, type, account_id, instance_id, at, data, context)
     select id, '${kind}-' || ${kind}_id, ${version}, '${kind}', '${type}', account, instance_id, at,
       jsonb_build_object(${named[kind]} ${instance} ${data}),
       '{"requestId": "bench", "correlationId": "bench", "causationId": null, "actor": "bench"}'
     from (${rows}) made`,
    values,
  );
}
