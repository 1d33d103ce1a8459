/** How backups and copies are worked on. */
import { secretKeyBytes, secretKeysIn } from '../key-ring.js';
import { integer, mustBe, parsedText, seconds, wholeTime } from './forms.js';
import type { Setting } from './setting.js';

const keyForm = `${secretKeyBytes} bytes in base64, or several such keys with commas between them`;

export const secretKey = {
  name: 'STRONGROOM_SECRET_KEY',
  meaning:
    'The key that seals the passwords of the registered instances. `openssl rand -base64 32` makes one. Without it those passwords are lost, so keep it apart from the database. Of several keys the first seals, and each opens what it has sealed: `strongroom keys rotate` puts a new one first. A file is read again while the service runs.',
  form: parsedText(keyForm, (value) => secretKeysIn(value) ?? mustBe(keyForm)),
  usedBy: ['api', 'scheduler'],
  isRequired: true,
  isSecret: true,
  mayBeFile: true,
} satisfies Setting<[Buffer, ...Buffer[]]>;

export const catchUp = {
  name: 'STRONGROOM_CATCH_UP_MINUTES',
  meaning:
    'How late a slot may still run after an outage, and for how long its backup is tried again whose faults pass. A slot that is later counts as missed. With 0 nothing is tried again.',
  form: wholeTime('minutes', 0, 525_600),
  usedBy: ['scheduler'],
  default: '720',
} satisfies Setting<number>;

export const backupConcurrency = {
  name: 'STRONGROOM_BACKUP_CONCURRENCY',
  meaning:
    'How many backups a scheduler takes at a time. When there are several, one of them is never of an account that has all the others: an account whose servers are slow does not keep the other accounts waiting.',
  form: integer(1, 64),
  usedBy: ['scheduler'],
  default: '3',
} satisfies Setting<number>;

export const longestBackup = {
  name: 'STRONGROOM_BACKUP_LONGEST_HOURS',
  meaning:
    'How long an attempt at a backup may take until its server has sent everything. The backup then fails with `backup-limit-reached`.',
  form: wholeTime('hours', 1, 8_760),
  usedBy: ['scheduler'],
  default: '48',
} satisfies Setting<number>;

export const slowestBackup = {
  name: 'STRONGROOM_BACKUP_LEAST_KIB_PER_SECOND',
  meaning:
    'What a server must send at the least, as the average over five minutes of waiting for it. An attempt with a slower one ends with `server-stalled` and is made again later. With 0 there is no least.',
  form: integer(0, 1_048_576),
  usedBy: ['scheduler'],
  default: '16',
} satisfies Setting<number>;

export const largestBackup = {
  name: 'STRONGROOM_BACKUP_MOST_GIB',
  meaning:
    'The size of the largest backup, before it is compressed. A backup of a server that has or sends more fails with `backup-limit-reached`.',
  form: integer(1, 4_194_304),
  usedBy: ['scheduler'],
  default: '16384',
} satisfies Setting<number>;

export const timesEstimate = {
  name: 'STRONGROOM_BACKUP_TIMES_ESTIMATE',
  meaning:
    'How many times as much as it has estimated a server may send. The estimate is without the WAL of the time of the backup, so 64 GiB are allowed in any case.',
  form: integer(2, 1_000),
  usedBy: ['scheduler'],
  default: '4',
} satisfies Setting<number>;

export const engineMemory = {
  name: 'STRONGROOM_ENGINE_MEMORY_MIB',
  meaning:
    'How much memory a process that takes or restores a backup may have. Each has a process of its own, so that a server or a backup that blows one up ends nothing else. Together they need as much times `STRONGROOM_BACKUP_CONCURRENCY` and `STRONGROOM_RESTORE_CONCURRENCY`, beside 512 MiB for the scheduler itself and 256 MiB for each built server.',
  form: integer(192, 1_048_576),
  usedBy: ['scheduler'],
  default: '512',
} satisfies Setting<number>;

export const restoreConcurrency = {
  name: 'STRONGROOM_RESTORE_CONCURRENCY',
  meaning:
    'How many backups a scheduler restores at a time, for servers that it builds. The others wait. When there are several, one of them is never of an account that has all the others.',
  form: integer(1, 64),
  usedBy: ['scheduler'],
  default: '2',
} satisfies Setting<number>;

export const longestRestore = {
  name: 'STRONGROOM_RESTORE_LONGEST_HOURS',
  meaning:
    'How long the restore for a server that is built may take. The build then fails with `backup-limit-reached`.',
  form: wholeTime('hours', 1, 8_760),
  usedBy: ['scheduler'],
  default: '48',
} satisfies Setting<number>;

export const lease = {
  name: 'STRONGROOM_LEASE_SECONDS',
  meaning: 'How long a worker keeps a job after its last renewal. Then another worker takes the job over.',
  form: seconds(1, 3_600),
  usedBy: ['scheduler', 'replicator'],
  default: '15',
} satisfies Setting<number>;

export const copyConcurrency = {
  name: 'STRONGROOM_COPY_CONCURRENCY',
  meaning: 'How many copies a replicator makes to each region at a time.',
  form: integer(1, 64),
  usedBy: ['replicator'],
  default: '2',
} satisfies Setting<number>;

export const copyRetry = {
  name: 'STRONGROOM_COPY_RETRY_SECONDS',
  meaning: 'The pause after the first failed attempt at a copy. Each later pause is twice as long, up to five minutes.',
  form: seconds(0, 300),
  usedBy: ['replicator'],
  default: '5',
} satisfies Setting<number>;

export const mostCopyAttempts = {
  name: 'STRONGROOM_MAX_COPY_ATTEMPTS',
  meaning:
    "After how many failed attempts a copy is given up. Attempts that fail because of a region's outage do not count.",
  form: integer(1, 100_000),
  usedBy: ['replicator'],
  default: '100',
} satisfies Setting<number>;

export const copyStall = {
  name: 'STRONGROOM_COPY_STALL_SECONDS',
  meaning:
    'For how long nothing must have moved in a vault, during any work there, before the vault counts as hanging. The work then ends with `vault-unavailable` and is tried again.',
  form: seconds(1, 86_400),
  usedBy: ['scheduler', 'replicator'],
  default: '600',
} satisfies Setting<number>;

export const slowestVault = {
  name: 'STRONGROOM_VAULT_LEAST_KIB_PER_SECOND',
  meaning:
    'What a vault must give or take at the least, as the average over `STRONGROOM_COPY_STALL_SECONDS` of waiting for it. The work with a slower one ends with `vault-unavailable` and is tried again. With 0 there is no least.',
  form: integer(0, 1_048_576),
  usedBy: ['scheduler', 'replicator'],
  default: '16',
} satisfies Setting<number>;

export const longestCopy = {
  name: 'STRONGROOM_COPY_LONGEST_HOURS',
  meaning:
    'How long an attempt at a copy may take, with its reading back. It then ends with `copy-limit-reached`, and leaves its place to other copies.',
  form: wholeTime('hours', 1, 8_760),
  usedBy: ['replicator'],
  default: '168',
} satisfies Setting<number>;
