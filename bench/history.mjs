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

const id = (kind) => `md5('${kind} ' || account || ' ' || backup)::uuid`;
const instanceId = `md5('instance ' || account)::uuid`;
const scheduleId = `md5('schedule ' || account)::uuid`;
const timing = `'dayOfWeek', 7, 'hour', 3, 'minute', 30, 'fullBackupRetention', 2, 'copyTo', '["IAD"]'::jsonb, 'paused', false`;
const datastore = `'{"type": "postgresql", "version": "18.4"}'::jsonb`;
const sha256 = `md5(account) || md5(account)`;
const time = (at) => `to_char(${at} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** By type: the kind of the stream, its version, and the data. */
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
    `'scheduleId', ${scheduleId}, 'slotAt', ${time('at')}, 'trigger', 'slot', 'type', 'full',
    'parentId', null, 'name', 'daily', 'description', null, 'datastore', ${datastore}, 'copyTo', '["IAD"]'::jsonb`,
  ],
  BackupStarted: ['backup', 2, `'attempt', 1, 'region', 'DFW', 'runner', 'bench'`],
  BackupCompleted: [
    'backup',
    3,
    `'scheduleId', ${scheduleId}, 'type', 'full', 'parentId', null, 'attempt', 1, 'region', 'DFW',
    'location', 'backups/' || ${id('backup')}, 'sizeBytes', 5000000000, 'rawBytes', 9000000000, 'sha256', ${sha256},
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
    `'region', 'IAD', 'attempt', 1, 'location', 'backups/' || ${id('backup')}, 'sizeBytes', 5000000000,
    'sha256', ${sha256}, 'startedAt', ${time('at')}`,
  ],
};
/** The ids that the data of each kind names, beside the instance's. */
const named = {
  instance: '',
  schedule: `'scheduleId', ${scheduleId},`,
  backup: `'backupId', ${id('backup')},`,
  copy: `'copyId', ${id('copy')}, 'backupId', ${id('backup')},`,
};
const withoutInstance = new Set(['BackupStarted', 'CopyStarted']);
const streamId = { instance: instanceId, schedule: scheduleId, backup: id('backup'), copy: id('copy') };

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
  const [kind, version, data] = events[step.type];
  const instance = withoutInstance.has(step.type) ? '' : `'instanceId', ${instanceId},`;
  await client.query(
    `insert into ledger_event (id, stream, version, aggregate, type, account_id, instance_id, at, data, context)
     select md5('event ' || account || ' ${number}')::uuid, '${kind}-' || ${streamId[kind]}, ${version}, '${kind}', '${step.type}',
       account, ${instanceId}, at, jsonb_build_object(${named[kind]} ${instance} ${data}),
       '{"requestId": "bench", "correlationId": "bench", "causationId": null, "actor": "bench"}'
     from (select $1 || '-' || n as account, ${step.backup} as backup, timestamptz '2026-01-01' + interval '1 minute' * ${number} as at
           from generate_series(0, $2::int - 1) n) accounts`,
    [prefix, accounts],
  );
}
