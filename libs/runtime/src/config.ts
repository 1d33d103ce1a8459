/**
 * Reads the configuration of an app once, from its environment. One error names every wrong variable with what it must
 * be, and never shows the value of a secret.
 */
import { getFips } from 'node:crypto';
import { Fault, type Roles, usualRoles } from '@strongroom/contracts';
import { Networks } from './addresses.js';
import { type AlarmConfig, alarmsOf, problemsOfHeartbeat } from './alarm-config.js';
import type { TrustedProxies } from './client-address.js';
import {
  problemsOfBuiltServers,
  problemsOfDatabase,
  problemsOfRegions,
  problemsOfSyslog,
  problemsOfVaults,
} from './config-problems.js';
import { type EncryptionConfig, encryptionOf, unfitForFips, unfitRecipients } from './encryption-config.js';
import { type HttpTls, httpTlsOf, privateHttpOf } from './http-config.js';
import { type IdentityConfig, identityOf, problemsOfIdentity } from './identity-config.js';
import { type KafkaFeed, kafkaFeedOf, problemsOfKafka, problemsOfPair } from './kafka-config.js';
import { KeyRing } from './key-ring.js';
import { type OwnService, ownServicesOf } from './own-services.js';
import * as audit from './settings/audit.js';
import * as built from './settings/built-servers.js';
import * as deletion from './settings/deletion.js';
import { type ConfigProblem, GivenSettings } from './settings/given-settings.js';
import * as identity from './settings/identity.js';
import * as ledgerAndFeed from './settings/ledger-and-feed.js';
import * as limits from './settings/limits.js';
import * as service from './settings/process.js';
import * as quota from './settings/quotas.js';
import * as scrub from './settings/scrub.js';
import type { AppName } from './settings/setting.js';
import { settings } from './settings/settings.js';
import * as transfers from './settings/transfers.js';
import * as transport from './settings/transport.js';
import * as regions from './settings/vaults.js';
import * as work from './settings/work.js';
import { problemsOfTraces, type TraceConfig, tracesOf } from './trace-config.js';

export type { EncryptionConfig } from './encryption-config.js';
export type { HttpTls } from './http-config.js';
export type { IdentityConfig } from './identity-config.js';
export type { KafkaSecurity, TokenSource } from './kafka-config.js';
export type { OwnService } from './own-services.js';
export type { MinimumRetention } from './settings/deletion.js';
export type { Recipients } from './settings/encryption.js';
export type { ConfigProblem } from './settings/given-settings.js';
export type { PageLimits, RateLimit } from './settings/limits.js';
export { type LogLevel, logLevels } from './settings/process.js';
export { type Quota, type QuotaKind, type Quotas, quotaKinds, quotaOf } from './settings/quotas.js';
export { type CopySourceOrder, type ScrubRate, scrubRateOf } from './settings/scrub.js';
export { type AppName, appNames, type Setting } from './settings/setting.js';
export { settings } from './settings/settings.js';
export type { FailedLogins, TlsMode } from './settings/transport.js';
export { noCopiesTo } from './settings/vaults.js';

export type FeedConfig = KafkaFeed | { kind: 'embedded' };

/** How the audit is kept, and where it is written besides. */
export interface AuditConfig {
  keptDays: number;
  file?: string;
  syslog?: { host: string; port: number };
}

/** How backups are kept from whoever may delete them. */
export interface DeletionConfig {
  delayMs: number;
  minimumRetention: deletion.MinimumRetention;
  /** 0: nobody has to approve a deletion. */
  bulkLimit: number;
}

/** What holds for the deletions of one account. */
export function deletionRulesOf(
  { delayMs, minimumRetention: { usualMs, byAccount } }: DeletionConfig,
  accountId: string,
): { delayMs: number; minimumMs: number } {
  return { delayMs, minimumMs: byAccount.get(accountId) ?? usualMs };
}

/** What may be reached for customers, and how. */
export interface CustomerConfig {
  /** Beside the public addresses. */
  networks: Networks;
  /** Undefined: `require`, and `disable` on the loopback interface. */
  minTls?: transport.TlsMode;
  failedLogins: transport.FailedLogins;
}

/** The settings of an app, parsed. Their declarations in `settings/` say what each means. */
export interface AppConfig {
  app: AppName;
  databaseUrl: string;
  feed: FeedConfig;
  namespace: string;
  http: { host: string; port: number; tls?: HttpTls };
  /** Where the API serves its metrics and the details of its health. Without it, a service serves them at `http`. */
  privateHttp?: { host: string; port: number };
  proxies: TrustedProxies;
  customers: CustomerConfig;
  ownServices: readonly OwnService[];
  /** Without a slash at its end. */
  publicUrl?: string;
  homeRegion: string;
  /** The vault of each region, the home region's too. */
  vaults: ReadonlyMap<string, URL>;
  /** The regions that a backup may be copied to: all with a vault but the home region. */
  copyRegions: readonly string[];
  /** Only the API has it. */
  identity?: IdentityConfig;
  audit: AuditConfig;
  /** The rights of each role. */
  roles: Roles;
  /** The newest key, of 32 bytes. */
  secretKey?: Buffer;
  /** The keys before it, which open what they have sealed; left out when there are none. */
  formerSecretKeys?: readonly Buffer[];
  /** The file that the keys came from. */
  secretKeyFile?: string;
  logLevel: service.LogLevel;
  alarms: AlarmConfig;
  /** Without it, nobody is told of traces. */
  traces?: TraceConfig;
  leaseMs: number;
  catchUpMs: number;
  backupConcurrency: number;
  /** What the process of a backup or of a restore may take. */
  engineMemoryBytes: number;
  /** How many restores run at a time, for servers that are built. */
  restoreConcurrency: number;
  longestRestoreMs: number;
  /** What a backup may take, as the operator allows it. */
  backupLimits: { longestMs: number; leastBytesPerSecond: number; mostBytes: number; timesEstimate: number };
  copyConcurrency: number;
  copyRetryMs: number;
  copyStallMs: number;
  /** What a vault must give or take in a second. */
  leastVaultBytesPerSecond: number;
  longestCopyMs: number;
  /** By target, the regions that copies come from, as the operator has ordered them. */
  copySources: scrub.CopySourceOrder;
  /** How fast vaults are read again, and after how long. */
  scrub: { rate: scrub.ScrubRate; everyMs: number };
  /** Bytes a second, by what they limit, as long as an operator has set nothing else. */
  transferLimits: transfers.FirstTransferLimits;
  transfersAtATime: transfers.TransfersAtATime;
  sweepGraceMs: number;
  /** What is left free on the disks that backups are written to. */
  freeSpaceReserveBytes: number;
  maxCopyAttempts: number;
  /** Whether servers are built from backups. */
  buildsServers: boolean;
  /** Where they live; only a scheduler that builds servers has it. */
  instancesFolder?: string;
  mostBuiltServers: number;
  guests: {
    users?: { first: number; last: number } | undefined;
    /** How many processes each of these users may have. */
    mostProcesses: number;
    command?: string[] | undefined;
  };
  /** The user of the processes that take backups, where this process is root's. */
  engineUser?: { uid: number; gid: number };
  deletion: DeletionConfig;
  /** Only the scheduler has it. */
  encryption?: EncryptionConfig;
  mostSchedules: number;
  mostWebhooks: number;
  quotas: quota.Quotas;
  mostConnections: number;
  /** Connections of one address, and requests of one client at a time. 0: no limit. */
  mostConnectionsOfAddress: number;
  mostStreams: number;
  /** Of one address, in a minute. 0: no limit. */
  mostWrongTokens: number;
  pageLimits: Readonly<limits.PageLimits>;
  /** An operation has the limit of its own name, else that of its method, else that of `*`. */
  rateLimits: readonly limits.RateLimit[];
  /** The process ends when its standard input closes. */
  supervised: boolean;
}

/** The settings that one app cannot do without, beside those that every app needs. */
export interface ConfigOf extends Record<AppName, AppConfig> {
  api: AppConfig & { identity: IdentityConfig; secretKey: Buffer };
  scheduler: AppConfig & { secretKey: Buffer; encryption: EncryptionConfig };
  replicator: AppConfig;
}

/** The environment is not a configuration. It is not retryable, because somebody has to change the environment. */
export class ConfigFault extends Fault<'config-invalid'> {
  override readonly name = 'ConfigFault';

  constructor(
    app: AppName,
    readonly problems: readonly ConfigProblem[],
  ) {
    const lines = problems.map(({ variable, problem }) => `  ${variable} ${problem}`);
    const message = `strongroom ${app} can't start with this environment; change and start again:\n${lines.join('\n')}`;
    super('config-invalid', false, message);
  }
}

/**
 * Reads the configuration of an app. A variable that is empty counts as absent.
 * @throws {ConfigFault} naming every wrong variable
 */
export function loadConfig<A extends AppName>(app: A, env: NodeJS.ProcessEnv): ConfigOf[A];
export function loadConfig(app: AppName, env: NodeJS.ProcessEnv): AppConfig {
  const given = new GivenSettings(app, env, settings);
  refuse(app, given.problems);
  const roles = given.valueIfSet(identity.roles) ?? usualRoles;
  refuse(app, [
    ...problemsOfDatabase(given),
    ...problemsOfVaults(given),
    ...problemsOfHeartbeat(given),
    ...problemsOfTraces(given),
    ...(given.value(ledgerAndFeed.feed) === 'kafka' ? problemsOfKafka(given) : []),
    ...(app === 'api'
      ? [
          ...problemsOfPair(given, transport.tlsCertificate, transport.tlsKey),
          ...problemsOfIdentity(given, roles),
          ...problemsOfSyslog(given),
        ]
      : []),
  ]);
  const encryption = app === 'scheduler' ? encryptionOf(given) : undefined;
  refuse(app, encryption ? unfitRecipients(encryption) : []);
  refuse(app, encryption && getFips() === 1 ? unfitForFips(encryption) : []);
  const vaults = given.value(regions.vaults);
  const homeRegion = given.value(regions.homeRegion);
  refuse(app, problemsOfRegions([...vaults.keys()], homeRegion));
  const publicUrl = given.valueIfSet(service.publicUrl);
  const [secretKey, ...formerSecretKeys] = given.valueIfSet(work.secretKey) ?? [];
  const secretKeyFile = given.fileOf(work.secretKey);
  const buildsServers = given.value(built.builtServers) === 'on';
  const instancesFolder = buildsServers ? given.valueIfSet(built.instancesFolder) : undefined;
  const users = given.valueIfSet(built.builtServerUsers);
  const mostBuiltServers = given.value(built.mostBuiltServers);
  if (app === 'scheduler' && buildsServers)
    refuse(app, problemsOfBuiltServers(instancesFolder, users, mostBuiltServers));
  const httpTls = app === 'api' ? httpTlsOf(given) : undefined;
  const traces = tracesOf(given);
  const privateHttp = app === 'api' ? privateHttpOf(given) : undefined;
  return {
    app,
    databaseUrl: given.value(ledgerAndFeed.databaseUrl),
    feed: feedOf(given),
    namespace: given.value(ledgerAndFeed.namespace),
    http: {
      host: given.value(service.httpHost),
      port: given.value(service.httpPort),
      ...(httpTls && { tls: httpTls }),
    },
    ...(privateHttp && { privateHttp }),
    proxies: {
      networks: given.valueIfSet(service.trustedProxies) ?? new Networks([]),
      header: given.value(service.forwardedHeader),
    },
    customers: customersOf(given),
    ownServices: ownServicesOf(given, privateHttp),
    ...(publicUrl !== undefined && { publicUrl }),
    homeRegion,
    vaults,
    copyRegions: [...vaults.keys()].filter((region) => region !== homeRegion),
    ...(app === 'api' && { identity: identityOf(given) }),
    audit: auditOf(given),
    roles,
    ...(secretKey !== undefined && { secretKey }),
    ...(formerSecretKeys.length > 0 && { formerSecretKeys }),
    ...(secretKeyFile !== undefined && { secretKeyFile }),
    logLevel: given.value(service.logLevel),
    alarms: alarmsOf(given),
    ...(traces && { traces }),
    leaseMs: given.value(work.lease),
    catchUpMs: given.value(work.catchUp),
    backupConcurrency: given.value(work.backupConcurrency),
    engineMemoryBytes: given.value(work.engineMemory) * 1_048_576,
    restoreConcurrency: given.value(work.restoreConcurrency),
    longestRestoreMs: given.value(work.longestRestore),
    backupLimits: {
      longestMs: given.value(work.longestBackup),
      leastBytesPerSecond: given.value(work.slowestBackup) * 1_024,
      mostBytes: given.value(work.largestBackup) * 1_073_741_824,
      timesEstimate: given.value(work.timesEstimate),
    },
    copyConcurrency: given.value(work.copyConcurrency),
    copyRetryMs: given.value(work.copyRetry),
    copyStallMs: given.value(work.copyStall),
    leastVaultBytesPerSecond: given.value(work.slowestVault) * 1_024,
    longestCopyMs: given.value(work.longestCopy),
    copySources: given.valueIfSet(scrub.copySources) ?? new Map(),
    scrub: { rate: given.value(scrub.scrubRate), everyMs: given.value(scrub.scrubEvery) * 86_400_000 },
    transferLimits: given.valueIfSet(transfers.transferLimits) ?? new Map(),
    transfersAtATime: given.valueIfSet(transfers.transfersAtATime) ?? new Map(),
    sweepGraceMs: given.value(regions.sweepGrace),
    freeSpaceReserveBytes: given.value(regions.freeSpaceReserve) * 1_048_576,
    maxCopyAttempts: given.value(work.mostCopyAttempts),
    buildsServers,
    ...(instancesFolder !== undefined && { instancesFolder }),
    mostBuiltServers,
    guests: {
      users: users && { first: users.first, last: users.last - 1 },
      mostProcesses: given.value(built.mostProcesses),
      command: given.valueIfSet(built.builtServerCommand),
    },
    ...(users && { engineUser: { uid: users.last, gid: users.last } }),
    deletion: {
      delayMs: given.value(deletion.deletionDelay),
      minimumRetention: given.value(deletion.minimumRetention),
      bulkLimit: given.value(deletion.bulkDeletionLimit),
    },
    ...(encryption && { encryption }),
    mostSchedules: given.value(limits.mostSchedules),
    mostWebhooks: given.value(limits.mostWebhooks),
    quotas: given.value(quota.quotas),
    mostConnections: given.value(limits.mostConnections),
    mostConnectionsOfAddress: given.value(limits.mostConnectionsOfAddress),
    mostStreams: given.value(limits.mostStreams),
    mostWrongTokens: given.value(limits.mostWrongTokens),
    pageLimits: given.value(limits.pageLimits),
    rateLimits: given.value(limits.rateLimits),
    supervised: given.value(service.supervised) === '1',
  };
}

/** The keys of an app that has some. */
export function keyRingOf({
  secretKey,
  formerSecretKeys = [],
  secretKeyFile,
}: Pick<ConfigOf['api'], 'secretKey' | 'formerSecretKeys' | 'secretKeyFile'>): KeyRing {
  return new KeyRing([secretKey, ...formerSecretKeys], secretKeyFile);
}

/** What an environment sets under our prefix without any effect, in whole sentences, and never with a value. */
export function withoutEffect(env: NodeJS.ProcessEnv): string[] {
  const known = settings.flatMap(({ name, mayBeFile }) => (mayBeFile ? [name, `${name}_FILE`] : [name]));
  const isIdle = env[built.instancesFolder.name]?.trim() && (env[built.builtServers.name]?.trim() || 'off') === 'off';
  return [
    ...GivenSettings.withoutEffect(env, new Set(known)),
    ...(isIdle
      ? [
          `${built.instancesFolder.name}: no servers are built from backups without ${built.builtServers.name}=on, so it has no effect.`,
        ]
      : []),
  ];
}

function refuse(app: AppName, problems: readonly ConfigProblem[]): void {
  if (problems.length > 0) throw new ConfigFault(app, problems);
}

function customersOf(given: GivenSettings): CustomerConfig {
  const minTls = given.valueIfSet(transport.minTls);
  return {
    networks: given.valueIfSet(transport.customerNetworks) ?? new Networks([]),
    ...(minTls !== undefined && { minTls }),
    failedLogins: given.value(transport.failedLogins),
  };
}

function feedOf(given: GivenSettings): FeedConfig {
  return given.value(ledgerAndFeed.feed) === 'kafka' ? kafkaFeedOf(given) : { kind: 'embedded' };
}

/** The way to Kafka alone, as a service would take it from the environment. @throws {ConfigFault} */
export function loadKafkaConfig(env: NodeJS.ProcessEnv): KafkaFeed {
  const ofKafka = settings.filter(({ name }) => name.startsWith('KAFKA_') || name === transport.allowPlaintext.name);
  const app = 'replicator';
  const given = new GivenSettings(app, env, ofKafka);
  refuse(app, given.problems);
  refuse(app, problemsOfKafka(given));
  return kafkaFeedOf(given);
}

function auditOf(given: GivenSettings): AuditConfig {
  const file = given.valueIfSet(audit.auditFile);
  const syslog = given.valueIfSet(audit.auditSyslog);
  return { keptDays: given.value(audit.auditDays), ...(file !== undefined && { file }), ...(syslog && { syslog }) };
}
