/** What the scheduler's process works with, made once: every kind of job, timer and policy takes from it what it needs. */
import type { DatastoreType } from '@strongroom/contracts';
import { Credentials } from '@strongroom/credentials';
import type { RegisteredInstance } from '@strongroom/domain';
import {
  type BackupLimits,
  type BackupTaker,
  Doorkeeper,
  type EngineFor,
  EnginesApart,
  engineFor,
  Reach,
  type Restorer,
  usualLimits,
} from '@strongroom/engines';
import { heldVerdicts, isOutage, isUnreadable, Ledger } from '@strongroom/ledger';
import { Backups, Copies, Runs, Unfinished, Views } from '@strongroom/read-model';
import {
  type ConfigOf,
  deletionRulesOf,
  Jobs,
  type JobWorkParts,
  KnownVaults,
  keyRingOf,
  PutBack,
  processName,
  RegionOutages,
  type RuntimeParts,
  ServerLogins,
  SetAside,
  SharedBudget,
  TransferLimits,
} from '@strongroom/runtime';
import { openVaultsOfService, Sweep, type Traffic, type Vault, type Vaults } from '@strongroom/vault';
import type { DataSource } from 'typeorm';
import { warnOfMemory } from './enough-memory.js';
import { AccountsEncryption } from './jobs/backup/backup-encryption.js';
import { ExpectedSeals } from './jobs/backup/expected-seals.js';
import { HomeOutage } from './jobs/backup/home-outage.js';
import { ServerLineage } from './jobs/backup/server-lineage.js';
import { SkippedSlots } from './jobs/backup/skipped-slots.js';
import { checkConfinement, checkEngineUsers } from './jobs/built-server/confinement.js';
import { hostLane } from './jobs/built-server/host-lane.js';
import { bootOfHost, DatabaseDueClock, SteadyDueClock, uptimeOfHostMs } from './slots/due-clock.js';
import { SlotAlarm } from './slots/slot-alarm.js';

type Runtime = RuntimeParts<ConfigOf['scheduler']>;

export interface SchedulerParts extends Omit<Runtime, 'health'>, JobWorkParts {
  config: Runtime['config'];
  dataSource: DataSource;
  ledger: Ledger;
  views: Views;
  backups: Backups;
  copies: Copies;
  unfinished: Unfinished;
  jobs: Jobs;
  credentials: Credentials;
  engineFor: EngineFor;
  /** Takes backups in processes of their own. */
  takerFor: (type: DatastoreType) => BackupTaker;
  /** Restores backups in processes of their own. */
  restorerFor: (type: DatastoreType) => Restorer;
  vaults: Vaults;
  /** The limits of transfers that operators set, and what keeps to them. */
  limits: TransferLimits;
  traffic: Traffic;
  homeRegion: string;
  /** The home region's. */
  vault: Vault;
  /** Whether that region can be reached. */
  home: HomeOutage;
  expectedSeals: ExpectedSeals;
  lineage: ServerLineage;
  encryption: AccountsEncryption;
  onAnotherServer: () => void;
  isServedHere: (instance: RegisteredInstance) => Promise<boolean>;
  onAttemptFailed: (code: string) => void;
  /** The lane of the built servers whose data this process has; undefined when it has none. */
  hostLane: string | undefined;
  sweep: Sweep;
  /** The process, by the name that its events have: who runs a backup, and who acts. */
  runner: string;
  actor: string;
  /** How long a backup is tried again whose faults pass, in milliseconds. */
  retryWindowMs: number;
  backupLimits: BackupLimits;
  skipped: SkippedSlots;
  /** The time that slots go by. */
  slotTime: SteadyDueClock;
  slotAlarm: SlotAlarm;
}

export async function schedulerParts(runtime: Runtime, dataSource: DataSource): Promise<SchedulerParts> {
  const { config, log, clock, ids, metrics } = runtime;
  const { homeRegion } = config;
  checkConfinement(config, log);
  const limits = new TransferLimits(dataSource);
  const { vaults, traffic } = openVaultsOfService(config, {
    sharedBudget: (scope, own) => new SharedBudget(limits, scope, own),
    metrics,
    log,
  });
  await vaults.identify(log, new KnownVaults(dataSource));
  const ledger = new Ledger(dataSource);
  const setAside = new SetAside(dataSource, log);
  setAside.measure(metrics);
  const views = new Views(dataSource, ledger, setAside);
  const vault = vaults.of(homeRegion);
  const jobs = new Jobs(dataSource);
  const encryption = new AccountsEncryption(config.encryption);
  const { chainIdentities } = encryption;
  const { engineMemoryBytes: memoryBytes, longestRestoreMs, restoreConcurrency: mostRestores, engineUser } = config;
  const apart = new EnginesApart({ memoryBytes, longestRestoreMs, mostRestores, user: engineUser });
  warnOfMemory(config, log);
  checkEngineUsers(apart, config, log);
  const door = new Doorkeeper({
    engineFor,
    reach: new Reach(config),
    logins: new ServerLogins(dataSource, config.customers.failedLogins),
    log,
  });
  const runner = processName('scheduler');
  log.info({ runner }, `this process is ${runner} in its events`);
  const anotherServer = metrics.counter({
    name: 'strongroom_another_server_total',
    help: 'Backups by this process that were of another server than the backup before them.',
  });
  const attemptsFailed = metrics.counter({
    name: 'strongroom_backup_attempts_failed_total',
    help: 'Attempts at backups by this process that failed in a way that passes, and are made again.',
    labels: ['code'],
  });
  return {
    config,
    log,
    clock,
    ids,
    metrics,
    dataSource,
    ledger,
    views,
    engineFor: door.engineFor,
    takerFor: (type) => door.before(apart.of(type)),
    restorerFor: (type) => apart.of(type),
    vaults,
    limits,
    traffic,
    vault,
    home: new HomeOutage({ dataSource, jobs, clock, log, vault, outages: new RegionOutages(dataSource), runner }),
    homeRegion,
    runner,
    actor: runner,
    owner: runner,
    retryWindowMs: config.catchUpMs,
    backupLimits: { ...usualLimits, ...config.backupLimits },
    slotAlarm: new SlotAlarm(),
    slotTime: new SteadyDueClock({
      database: new DatabaseDueClock(),
      process: clock,
      uptimeMs: uptimeOfHostMs,
      boot: bootOfHost(),
      catchUpMs: config.catchUpMs,
      metrics,
      log,
    }),
    skipped: new SkippedSlots(views, new Runs(dataSource), log),
    backups: new Backups(dataSource),
    copies: new Copies(dataSource),
    unfinished: new Unfinished(dataSource),
    jobs,
    credentials: new Credentials(dataSource, keyRingOf(config)),
    expectedSeals: new ExpectedSeals(dataSource),
    lineage: new ServerLineage({ dataSource, ledger, views, ids, log, engineFor, vault, chainIdentities }),
    encryption,
    onAnotherServer: () => anotherServer.inc(),
    isServedHere: async ({ instanceId, datastore, endpoint }) => {
      if (config.instancesFolder === undefined) return false;
      const host = engineFor(datastore.type).serve(config.instancesFolder, config.guests);
      return host.serves(instanceId, endpoint.port);
    },
    hostLane: config.instancesFolder === undefined ? undefined : hostLane(config.instancesFolder),
    onAttemptFailed: (code) => attemptsFailed.inc({ code }),
    putBack: new PutBack(metrics, log),
    setAside,
    onAppend: (wake) => ledger.onAppend(wake),
    passes: isOutage,
    isUnreadable,
    catchUp: (accountIds) => views.catchUpEach(accountIds, log),
    sweep: new Sweep({
      ask: (region, backupIds) => heldVerdicts({ ledger, manager: dataSource.manager }, region, backupIds),
      clock,
      log,
      metrics,
      graceMs: config.sweepGraceMs,
      minimumMsOf: (accountId) => deletionRulesOf(config.deletion, accountId).minimumMs,
    }),
  };
}
