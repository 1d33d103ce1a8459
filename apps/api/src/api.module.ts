/**
 * The gateway's parts. A class of the gateway says with `@Inject` what it needs; a library's class is made here, by a
 * factory.
 */
import { type DynamicModule, Module, type Provider } from '@nestjs/common';
import { postBackups, postInstances, postSchedules, postWebhooks, postWebhooksIdSecret } from '@strongroom/contracts';
import { Credentials, WebhookSecrets } from '@strongroom/credentials';
import { createDataSource } from '@strongroom/database';
import { Doorkeeper, type EngineFor, engineFor, Reach } from '@strongroom/engines';
import { LedgerIdentity } from '@strongroom/feed';
import { Identity, KeystoneTokens, StaticTokens } from '@strongroom/identity';
import { AuditTrail, ExplainingEvents, Ledger } from '@strongroom/ledger';
import {
  Backups,
  BackupTexts,
  Copies,
  Datastores,
  Instances,
  Lineages,
  RestorablePoints,
  RestoreTests,
  Schedules,
  ScheduleTexts,
  Runs as SlotRuns,
  Verifications,
  Views,
  viewTables,
  Webhooks,
} from '@strongroom/read-model';
import {
  type ConfigOf,
  type IdentityConfig,
  Jobs,
  keyRingOf,
  LimitsInForce,
  type Logger,
  loggerToken,
  MovingJobs,
  messageOfOutage,
  RegionOutages,
  type RuntimeParts,
  ServerLogins,
  SetAside,
} from '@strongroom/runtime';
import { DataSource } from 'typeorm';
import { AuditWork } from './audit/audit-work.js';
import { AuditExport, unreadInExport } from './audit/export.js';
import { InForce } from './audit/in-force.js';
import { AuditRoutes } from './audit/routes.js';
import { AuditFile, AuditSyslog } from './audit/sinks.js';
import { BackupCommands } from './backups/commands.js';
import { Copying } from './backups/copying.js';
import { DeletionCommands } from './backups/deletion-commands.js';
import { Incrementals } from './backups/incrementals.js';
import { BackupResources } from './backups/resource.js';
import { RestoreTesting } from './backups/restore-testing.js';
import { BackupRoutes } from './backups/routes.js';
import { StorageQuota } from './backups/storage-quota.js';
import { ConsoleFiles } from './console/console-files.js';
import { ConsoleRoutes } from './console/routes.js';
import { Regions } from './copies/regions.js';
import { CopyResources } from './copies/resource.js';
import { CopyRoutes } from './copies/routes.js';
import { DatastoreResources } from './datastores/resource.js';
import { DatastoreRoutes } from './datastores/routes.js';
import { Authentication } from './edge/authentication.js';
import { Idempotency } from './edge/idempotency.js';
import { IdempotentRequests } from './edge/idempotent-requests.js';
import { type FirstWork, firstWorkToken, LateDatabase } from './edge/late-database.js';
import { type Made, type MadeBy, madeByToken } from './edge/made.js';
import { Paging } from './edge/paging.js';
import { RateLimits } from './edge/rate-limits.js';
import { Refusals } from './edge/refusals.js';
import { RequestsInHand } from './edge/requests-in-hand.js';
import { Sessions } from './edge/sessions.js';
import { LiveStreams, streamTimingsToken, usualTimings } from './edge/streams/live-streams.js';
import { WrongTokens } from './edge/wrong-tokens.js';
import { EventRoutes } from './events/routes.js';
import { Explanations } from './explanations/resource.js';
import { ExplanationRoutes } from './explanations/routes.js';
import { InstanceCommands } from './instances/commands.js';
import { enginesToken } from './instances/connection-tests.js';
import { InstanceResources } from './instances/resource.js';
import { InstanceRoutes } from './instances/routes.js';
import { RestorableResources } from './restorable/resource.js';
import { RestorableRoutes } from './restorable/routes.js';
import { ScheduleChecks } from './schedules/checks.js';
import { ScheduleCommands } from './schedules/commands.js';
import { SchedulePreviews } from './schedules/preview.js';
import { ScheduleResources } from './schedules/resource.js';
import { ScheduleRoutes } from './schedules/routes.js';
import { Runs } from './schedules/runs.js';
import { Housekeeping } from './service/housekeeping.js';
import { Readable } from './service/readable.js';
import { RegionResources } from './service/regions.js';
import { ServiceRoutes } from './service/routes.js';
import { WebhookCommands } from './webhooks/commands.js';
import { ofWebhooks } from './webhooks/module.js';
import { WebhookRoutes } from './webhooks/routes.js';

@Module({})
class ApiModule {}

export const routes = [
  ServiceRoutes,
  ScheduleRoutes,
  BackupRoutes,
  CopyRoutes,
  RestorableRoutes,
  InstanceRoutes,
  DatastoreRoutes,
  EventRoutes,
  WebhookRoutes,
  AuditRoutes,
  ExplanationRoutes,
  ConsoleRoutes,
];

const ofEdge = [
  LateDatabase,
  RateLimits,
  WrongTokens,
  Sessions,
  Authentication,
  RequestsInHand,
  IdempotentRequests,
  Idempotency,
  Paging,
];
const ofSchedules = [ScheduleChecks, ScheduleCommands, SchedulePreviews, ScheduleResources, Runs, RestorableResources];
const ofBackups = [BackupCommands, Copying, DeletionCommands, RestoreTesting, BackupResources, StorageQuota];
const ofCopies = [CopyResources, Regions, RegionResources];
const ofInstances = [InstanceCommands, InstanceResources];
const ofStreams: Provider[] = [
  LiveStreams,
  {
    provide: LedgerIdentity,
    inject: [DataSource, loggerToken],
    useFactory: (dataSource: DataSource, log: Logger) => new LedgerIdentity(dataSource, log),
  },
  { provide: streamTimingsToken, useValue: usualTimings },
];

/** Shows again what a request has made, when the request comes again with its Idempotency-Key. */
const madeBy: Provider = {
  provide: madeByToken,
  inject: [ScheduleResources, BackupResources, InstanceResources, WebhookCommands],
  useFactory: (
    schedules: ScheduleResources,
    backups: BackupResources,
    instances: InstanceResources,
    webhooks: WebhookCommands,
  ): MadeBy =>
    new Map<string, Made>([
      [postSchedules.name, { aggregate: 'schedule', show: (events) => schedules.made(events) }],
      [postBackups.name, { aggregate: 'backup', show: (events) => backups.made(events) }],
      [postInstances.name, { aggregate: 'instance', show: (events) => instances.made(events) }],
      [postWebhooks.name, { aggregate: 'webhook', show: (events) => webhooks.made(events) }],
      [postWebhooksIdSecret.name, { find: (secretId) => webhooks.rotatedAs(secretId) }],
    ]),
};

/** These classes of libraries need the database and nothing else. */
const ofDatabase: Provider[] = [
  Ledger,
  ExplainingEvents,
  Jobs,
  MovingJobs,
  LimitsInForce,
  Schedules,
  ScheduleTexts,
  SlotRuns,
  RestorablePoints,
  RestoreTests,
  Backups,
  BackupTexts,
  Copies,
  Verifications,
  Instances,
  Lineages,
  Datastores,
  Webhooks,
].map((type) => ({
  provide: type,
  inject: [DataSource],
  useFactory: (dataSource: DataSource) => new type(dataSource),
}));

/** This is shorter than a client waits for an answer. So the client is told that the database does not answer. */
const longestStatementMs = 8_000;

function ofLibraries(parts: RuntimeParts<ConfigOf['api']>): Provider[] {
  const { config, log, health, metrics } = parts;
  return [
    { provide: Identity, useFactory: () => identityOf(config.identity, parts) },
    {
      provide: DataSource,
      useFactory: () => {
        const applicationName = `strongroom-${config.app}`;
        const dataSource = createDataSource({
          url: config.databaseUrl,
          applicationName,
          entities: viewTables,
          longestStatementMs,
        });
        // The gateway is ready while the broker is away, because the ledger keeps the events until it is back.
        health.addReadiness('database', async () => void (await dataSource.query('select 1')));
        return dataSource;
      },
    },
    ...ofDatabase,
    {
      provide: Views,
      inject: [DataSource, Ledger, SetAside],
      useFactory: (dataSource: DataSource, ledger: Ledger, setAside: SetAside) =>
        new Views(dataSource, ledger, setAside),
    },
    {
      provide: RegionOutages,
      inject: [DataSource],
      useFactory: (dataSource: DataSource) => {
        const outages = new RegionOutages(dataSource);
        health.addDegradation('regions', async () => [...(await outages.known()).values()].map(messageOfOutage));
        return outages;
      },
    },
    {
      provide: SetAside,
      inject: [DataSource],
      useFactory: (dataSource: DataSource) => {
        const setAside = new SetAside(dataSource, log);
        setAside.measure(metrics);
        return setAside;
      },
    },
    {
      provide: Credentials,
      inject: [DataSource],
      useFactory: (dataSource: DataSource) => new Credentials(dataSource, keyRingOf(config)),
    },
    {
      provide: WebhookSecrets,
      inject: [DataSource],
      useFactory: (dataSource: DataSource) => new WebhookSecrets(dataSource, keyRingOf(config)),
    },
    {
      provide: Incrementals,
      inject: [Ledger, BackupResources, Credentials, enginesToken],
      useFactory: (ledger: Ledger, backups: BackupResources, credentials: Credentials, engines: EngineFor) =>
        new Incrementals(ledger, backups, credentials, engines, log),
    },
    { provide: Reach, useFactory: () => new Reach(config) },
    {
      provide: enginesToken,
      inject: [DataSource, Reach],
      useFactory: (dataSource: DataSource, reach: Reach) => {
        const logins = new ServerLogins(dataSource, config.customers.failedLogins);
        return new Doorkeeper({ engineFor, reach, logins, log }).engineFor;
      },
    },
  ];
}

function identityOf(config: IdentityConfig, { clock, log }: RuntimeParts): Identity | Promise<Identity> {
  if (config.kind === 'keystone') return new KeystoneTokens({ ...config, clock });
  return StaticTokens.open({ path: config.tokensFile, clock, log });
}

function ofAudit({ config, clock, ids, log, metrics }: RuntimeParts<ConfigOf['api']>): Provider[] {
  const { file, syslog, keptDays } = config.audit;
  const sinks = [...(file !== undefined ? [new AuditFile(file)] : []), ...(syslog ? [new AuditSyslog(syslog)] : [])];
  return [
    {
      provide: AuditTrail,
      inject: [DataSource],
      useFactory: (dataSource: DataSource) => new AuditTrail(dataSource),
    },
    {
      // What a request does is exported, however soon after the start it comes.
      provide: firstWorkToken,
      inject: [AuditTrail],
      useFactory:
        (trail: AuditTrail): FirstWork =>
        () =>
          trail.beginExports(sinks.map(({ name }) => name)),
    },
    {
      provide: Refusals,
      inject: [AuditTrail],
      useFactory: (trail: AuditTrail) => new Refusals({ trail, clock, ids, metrics }),
    },
    {
      provide: AuditWork,
      inject: [AuditTrail, Refusals, Identity, Ledger],
      useFactory: (trail: AuditTrail, refusals: Refusals, identity: Identity, ledger: Ledger) => {
        const inForce = new InForce({ trail, identity, roles: config.roles, ring: keyRingOf(config), clock, ids });
        const unread = unreadInExport(metrics);
        const exports = sinks.map((sink) => new AuditExport({ trail, ledger, sink, holder: ids.next(), log, unread }));
        return new AuditWork({ trail, refusals, inForce, exports, keptDays, clock, log });
      },
    },
  ];
}

export function apiModule(parts: RuntimeParts<ConfigOf['api']>): DynamicModule {
  return {
    module: ApiModule,
    controllers: routes,
    providers: [
      ...ofLibraries(parts),
      ...ofEdge,
      ...ofSchedules,
      ...ofBackups,
      ...ofCopies,
      ...ofInstances,
      DatastoreResources,
      Explanations,
      { provide: ConsoleFiles, useFactory: () => new ConsoleFiles() },
      ...ofStreams,
      ...ofAudit(parts),
      ...ofWebhooks(parts),
      Housekeeping,
      Readable,
      madeBy,
    ],
  };
}
