/** What the replicator's process works with, made once: every kind of job and policy takes from it what it needs. */
import { groupOf } from '@strongroom/feed';
import { heldVerdicts, isOutage, isUnreadable, Ledger } from '@strongroom/ledger';
import { Backups, Copies, Unfinished, Verifications, Views } from '@strongroom/read-model';
import {
  type ConfigOf,
  deletionRulesOf,
  Jobs,
  type JobWorkParts,
  KnownVaults,
  LimitsInForce,
  PutBack,
  processName,
  RegionOutages,
  type RuntimeParts,
  SetAside,
  SharedBudget,
  TransferLimits,
} from '@strongroom/runtime';
import { openVaultsOfService, Sweep, type Traffic, type Vaults } from '@strongroom/vault';
import type { DataSource } from 'typeorm';
import { AwayRegions } from './jobs/copy/away-regions.js';
import { TransferRates } from './jobs/copy/transfer-rates.js';
import { Scrub } from './jobs/scrub/scrub.js';

type Runtime = RuntimeParts<ConfigOf['replicator']>;

export interface ReplicatorParts extends Omit<Runtime, 'health'>, JobWorkParts {
  config: Runtime['config'];
  dataSource: DataSource;
  ledger: Ledger;
  views: Views;
  backups: Backups;
  copies: Copies;
  unfinished: Unfinished;
  jobs: Jobs;
  vaults: Vaults;
  /** The limits of transfers that operators set, and what keeps to them. */
  limits: TransferLimits;
  inForce: LimitsInForce;
  traffic: Traffic;
  away: AwayRegions;
  verifications: Verifications;
  rates: TransferRates;
  onHealed: (region: string) => void;
  sweep: Sweep;
  scrub: Scrub;
  /** The consumer group of the replicators. */
  group: string;
  /** The name of the process, which makes copies. */
  replicator: string;
  /** The pause after the first failed attempt at a copy, in milliseconds. */
  retryMs: number;
  /** After this many failed attempts a copy is given up. */
  mostAttempts: number;
  /** How long an attempt at a copy may take, in milliseconds. */
  longestCopyMs: number;
}

export async function replicatorParts(runtime: Runtime, dataSource: DataSource): Promise<ReplicatorParts> {
  const { config, log, clock, ids, metrics } = runtime;
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
  const copies = new Copies(dataSource);
  const jobs = new Jobs(dataSource);
  const verifications = new Verifications(dataSource);
  const replicator = processName('replicator');
  const healed = metrics.counter({
    name: 'strongroom_copies_healed_total',
    help: 'Backups that this process has brought back whole into a region that had lost them.',
    labels: ['region'],
  });
  log.info({ runner: replicator }, `this process is ${replicator} in its events`);
  return {
    config,
    log,
    clock,
    ids,
    metrics,
    dataSource,
    ledger,
    views,
    vaults,
    limits,
    inForce: new LimitsInForce(dataSource),
    traffic,
    replicator,
    owner: replicator,
    group: groupOf(config),
    retryMs: config.copyRetryMs,
    mostAttempts: config.maxCopyAttempts,
    longestCopyMs: config.longestCopyMs,
    backups: new Backups(dataSource),
    copies,
    unfinished: new Unfinished(dataSource),
    jobs,
    away: new AwayRegions({
      dataSource,
      copies,
      jobs,
      clock,
      log,
      vaults,
      outages: new RegionOutages(dataSource),
      replicator,
    }),
    rates: new TransferRates(dataSource),
    onHealed: (region) => healed.inc({ region }),
    putBack: new PutBack(metrics, log),
    setAside,
    onAppend: (wake) => ledger.onAppend(wake),
    passes: isOutage,
    isUnreadable,
    catchUp: (accountIds) => views.catchUpEach(accountIds, log),
    verifications,
    scrub: new Scrub({ ...runtime, ledger, vaults, traffic, verifications, replicator }),
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
