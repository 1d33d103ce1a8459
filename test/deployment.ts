/**
 * A whole Strongroom for a test: a database of its own, vaults in a temporary folder, and the built apps as processes.
 * A test can start, stop and kill each of them.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BodyOf, Client } from '@strongroom/client';
import {
  type BackupResource,
  getHealthReady,
  type InstanceResource,
  isRefusal,
  type postBackups,
  type postSchedules,
} from '@strongroom/contracts';
import { grants, serviceNames } from '@strongroom/database';
import { backupDecider, copyId, scheduledBackupId } from '@strongroom/domain';
import { execute, Ledger } from '@strongroom/ledger';
import { RandomIds } from '@strongroom/runtime';
import pg from 'pg';
import { type App, AppProcess } from './app-process.js';
import { allOf } from './services/all-of.js';
import { createTestDatabase, openDataSource, type TestDatabase } from './services/database.js';
import { eventually } from './services/eventually.js';
import { type Feed, feedForTests } from './services/feed.js';
import { backupsInClear } from './services/in-clear.js';
import { giveServicesRoles, urlOfService } from './services/service-roles.js';
import { VaultFolders } from './vault-folders.js';

/** A customer's server, as `POST /instances` wants it. */
export interface CustomerServer {
  host: string;
  port: number;
  user: string;
  password: string;
  /** Default: none. Servers of tests are on the loopback interface. */
  tls?: 'disable' | 'verify-full';
}

type Schedule = BodyOf<typeof postSchedules>['schedule'];
type Backup = BodyOf<typeof postBackups>['backup'];

export interface DeploymentOptions {
  /** Default: Kafka where the run has one, else the embedded feed. */
  feed?: Feed;
  /** Added to the environment of every app. */
  env?: Record<string, string>;
  /** A folder with another build of the apps. */
  project?: string;
  /**
   * Whether each app has a role of its own in the database, on a schema that is up to date; or one role that owns everything has all of
   * them, and the apps make the schema. Default: a role for each, unless the apps are of another build.
   */
  roles?: 'one' | 'separate';
}

export class Deployment {
  readonly accountId = 'acme';
  readonly vaults: VaultFolders;
  private readonly processes = new Set<AppProcess>();
  private readonly tokens = { admin: randomBytes(16).toString('hex'), observer: randomBytes(16).toString('hex') };

  private constructor(
    private readonly folder: string,
    private readonly database: TestDatabase,
    private readonly options: DeploymentOptions,
  ) {
    this.vaults = new VaultFolders(join(folder, 'vaults'));
  }

  static async create(options: DeploymentOptions = {}): Promise<Deployment> {
    const folder = await mkdtemp(join(tmpdir(), 'strongroom-test-'));
    const { roles = options.project === undefined ? 'separate' : 'one' } = options;
    const database = await createTestDatabase({ empty: roles === 'one' });
    if (roles === 'separate') await giveServicesRoles(database.url);
    const deployment = new Deployment(folder, database, { ...options, roles });
    await deployment.vaults.make();
    const tokens = Object.entries(deployment.tokens).map(([role, token]) => ({
      name: role,
      sha256: createHash('sha256').update(token).digest('hex'),
      accountId: deployment.accountId,
      roles: [role],
    }));
    await writeFile(join(folder, 'tokens.json'), JSON.stringify(tokens));
    await writeFile(join(folder, 'secret-key'), randomBytes(32).toString('base64'));
    return deployment;
  }

  /** Of a superuser. */
  get databaseUrl(): string {
    return this.database.url;
  }

  private databaseUrlOf(app: App): string {
    return this.options.roles === 'separate' ? urlOfService(this.database.url, app) : this.database.url;
  }

  async start(app: App, env: Record<string, string> = {}): Promise<AppProcess> {
    const { feed = feedForTests() } = this.options;
    const started = await AppProcess.start(
      app,
      {
        PATH: process.env.PATH,
        UV_THREADPOOL_SIZE: '16',
        STRONGROOM_DATABASE_URL: this.databaseUrlOf(app),
        STRONGROOM_FEED: feed.kind,
        ...(feed.kind === 'kafka' ? { KAFKA_BROKERS: feed.brokers } : {}),
        STRONGROOM_NAMESPACE: `test-${this.database.name}`,
        STRONGROOM_HTTP_PORT: '0',
        STRONGROOM_VAULTS: this.vaults.urls,
        STRONGROOM_TOKENS_FILE: join(this.folder, 'tokens.json'),
        // The replicator opens no credential.
        ...(app !== 'replicator' && { STRONGROOM_SECRET_KEY_FILE: join(this.folder, 'secret-key') }),
        STRONGROOM_LEASE_SECONDS: '3',
        STRONGROOM_COPY_RETRY_SECONDS: '1',
        STRONGROOM_DELETION_DELAY_SECONDS: '0',
        STRONGROOM_CUSTOMER_NETWORKS: '127.0.0.0/8,::1',
        STRONGROOM_SUPERVISED: '1',
        ...backupsInClear,
        ...this.options.env,
        ...env,
      },
      this.logFile(app),
      this.options.project,
    );
    this.processes.add(started);
    // On a slow machine a gateway listens before its database is reached, and answers 503 until then.
    if (app === 'api') await eventually(() => assertReady(started), { withinMs: 20_000 });
    return started;
  }

  startAll(): Promise<[api: AppProcess, scheduler: AppProcess, replicator: AppProcess]> {
    return Promise.all([this.start('api'), this.start('scheduler'), this.start('replicator')]);
  }

  logFile(app: App): string {
    return join(this.folder, `${app}.log`);
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.processes].map((each) => each.kill()));
  }

  /** Ends every process and removes everything. @throws {Error} when the database has refused a statement to the role of a service */
  async remove(): Promise<void> {
    await this.stopAll();
    await this.database.drop();
    const refused = await this.refusedByDatabase();
    await rm(this.folder, { recursive: true, force: true });
    if (refused.length > 0) throw new Error(`the grants lack what a service does: ${refused.join('; ')}`);
  }

  /** What the logs say of statements for which a service's role had no right. */
  private async refusedByDatabase(): Promise<string[]> {
    const logs = await Promise.all(serviceNames.map((app) => readFile(this.logFile(app), 'utf8').catch(() => '')));
    const names = serviceNames.flatMap((app) => [...Object.keys(grants[app].tables), ...grants[app].functions]);
    const ours = [...new Set(names.map((name) => name.replace(/\(.*/, '')))].join('|');
    return serviceNames.flatMap((app, index) => {
      const found = logs[index]?.match(new RegExp(`permission denied for \\w+ (?:${ours})\\b`, 'g')) ?? [];
      return [...new Set(found)].map((refusal) => `${app}: ${refusal}`);
    });
  }

  token(role: 'admin' | 'observer' = 'admin'): string {
    return this.tokens[role];
  }

  /** The client of one API process, as the admin of the account unless said otherwise. */
  client(api: AppProcess, role: 'admin' | 'observer' = 'admin'): Client {
    return new Client({ baseUrl: api.url, accountId: this.accountId, token: this.token(role) });
  }

  /** Registers a server and returns the instance's id. */
  async register(api: AppProcess, server: CustomerServer): Promise<string> {
    const { host, port, user, password, tls = 'disable' } = server;
    const { id } = await this.client(api).instances.register({
      name: `customer-${randomUUID().slice(0, 8)}`,
      datastore: { type: 'postgresql', version: '18' },
      connection: { host, port, user, password, database: 'postgres', tls },
    });
    return id;
  }

  /** Creates a schedule and returns its id. By default its slots are far from now. */
  async schedule(api: AppProcess, instanceId: string, fields: Partial<Schedule> = {}): Promise<string> {
    const away = new Date(Date.now() - 3_600_000);
    const { id } = await this.client(api).schedules.create({
      action: 'backup',
      instance_id: instanceId,
      day_of_week: 7,
      hour: away.getUTCHours(),
      minute: away.getUTCMinutes(),
      copy_to: ['IAD', 'ORD'],
      ...fields,
    });
    return id;
  }

  /** Runs a schedule now and returns the backup's id. */
  async runNow(api: AppProcess, scheduleId: string): Promise<string> {
    const before = new Set((await this.backups(api)).map(({ id }) => id));
    await this.client(api).schedules.runNow(scheduleId);
    const made = (await this.backups(api)).find(({ id }) => !before.has(id));
    if (!made) throw new Error('run_now answered 202 and the list shows no new backup');
    return made.id;
  }

  /** Takes a backup of the instance and returns its id. */
  async backUp(api: AppProcess, instanceId: string, fields: Partial<Backup> = {}): Promise<string> {
    const { id } = await this.client(api).backups.create({ name: 'by hand', instance: instanceId, ...fields });
    return id;
  }

  /** Asks for a server to be built from a backup and returns the instance's id. */
  async restore(api: AppProcess, backupId: string): Promise<string> {
    return (await this.client(api).instances.restore('restored', backupId)).id;
  }

  /** Waits until the instance has the status. */
  untilInstance(api: AppProcess, id: string, status: string, withinMs = 60_000): Promise<InstanceResource> {
    return eventually(
      async () => {
        const instance = await this.client(api).instances.get(id);
        if (instance.status !== status) throw new Error(`the instance is ${JSON.stringify(instance)}`);
        return instance;
      },
      { withinMs },
    );
  }

  backups(api: AppProcess): Promise<BackupResource[]> {
    return allOf(this.client(api).backups.list());
  }

  backup(api: AppProcess, backupId: string): Promise<BackupResource> {
    return this.client(api).backups.get(backupId);
  }

  /** Waits until the backup is as it should be. */
  until(
    api: AppProcess,
    backupId: string,
    holds: (backup: BackupResource) => boolean,
    withinMs = 60_000,
  ): Promise<BackupResource> {
    return eventually(
      async () => {
        const backup = await this.backup(api, backupId);
        if (!holds(backup)) throw new Error(`backup ${backupId} is not there yet: ${JSON.stringify(backup)}`);
        return backup;
      },
      { withinMs },
    );
  }

  /** Waits until the backup is completed, and two regions have a completed copy of the same digest. */
  untilCopied(api: AppProcess, backupId: string, withinMs = 60_000): Promise<BackupResource> {
    return this.until(
      api,
      backupId,
      ({ status, checksum, copies }) =>
        status === 'COMPLETED' &&
        copies.length === 2 &&
        copies.every((copy) => copy.status === 'COMPLETED' && copy.checksum === checksum),
      withinMs,
    );
  }

  /** Requests the backup of a slot that was due at the time, as the scheduler does. @returns the backup's id */
  async runSlot({ instanceId, scheduleId }: { instanceId: string; scheduleId: string }, slotAt: Date): Promise<string> {
    const dataSource = await openDataSource({ url: this.database.url, applicationName: 'spec' });
    try {
      const backupId = scheduledBackupId(scheduleId, slotAt);
      const context = { requestId: 'slot', correlationId: 'slot', causationId: null, actor: 'spec' };
      const outcome = await execute(
        { ledger: new Ledger(dataSource), ids: new RandomIds() },
        backupDecider,
        { id: backupId, accountId: this.accountId, instanceId, context },
        {
          type: 'RequestBackup',
          request: {
            backupId,
            instanceId,
            scheduleId,
            slotAt: slotAt.toISOString(),
            trigger: 'slot',
            type: 'full',
            parentId: null,
            name: 'of a slot',
            description: null,
            datastore: { type: 'postgresql', version: '18' },
            copyTo: ['IAD', 'ORD'],
          },
        },
      );
      if (isRefusal(outcome)) throw new Error(outcome.message);
      return backupId;
    } finally {
      await dataSource.destroy();
    }
  }

  /** The request ids in the events of a backup, each once. */
  async requestIdsOf(backupId: string): Promise<string[]> {
    const rows = await this.query(
      `select distinct context->>'requestId' as id from ledger_event where stream = 'backup-${backupId}'`,
    );
    return rows.map(({ id }) => String(id));
  }

  async eventTypesOf(backupId: string): Promise<string[]> {
    const rows = await this.query(`select type from ledger_event where stream = 'backup-${backupId}' order by version`);
    return rows.map(({ type }) => String(type));
  }

  /** Waits until no job is left. */
  jobsDone(): Promise<void> {
    return eventually(
      async () => {
        const left = await this.query(
          "select kind, id, failures, lease_owner from job where kind not in ('sweep', 'scrub')",
        );
        if (left.length > 0) throw new Error(`jobs are left: ${JSON.stringify(left)}`);
      },
      { withinMs: 30_000 },
    );
  }

  /** The codes with which the attempts at a copy failed, in their order. */
  async attemptsAt(backupId: string, region: string): Promise<string[]> {
    const rows = await this.query(
      `select data->>'code' as code from ledger_event
       where type = 'CopyAttemptFailed' and data->>'backupId' = '${backupId}' and data->>'region' = '${region}' order by position`,
    );
    return rows.map(({ code }) => String(code));
  }

  /** How often the copy to a region has been leased since it was requested. */
  async leasesOf(backupId: string, region: string): Promise<number> {
    const [row] = await this.query(`select attempt from job where id = '${copyId(backupId, region)}'`);
    return Number(row?.attempt ?? 0);
  }

  /** Puts off the jobs that wait in a lane, as if they had failed many times. */
  async putOff(lane: string): Promise<void> {
    await this.query(`update job set ready_at = now() + interval '1 day' where lane = '${lane}' and ready_at > now()`);
  }

  /** Makes every row of a view ten minutes older. */
  async age(view: 'copy_view'): Promise<void> {
    await this.query(`update ${view} set updated_at = updated_at - interval '10 minutes'`);
  }

  async readyNow(backupId: string, region: string): Promise<void> {
    await this.query(`update job set ready_at = now() where id = '${copyId(backupId, region)}'`);
  }

  /** Every event of the ledger, as text. */
  async everythingStored(): Promise<string> {
    return JSON.stringify(await this.query('select * from ledger_event'));
  }

  /** Runs a statement on the ledger's database, past the apps. */
  async query(sql: string): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: this.database.url });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  /** Takes the database away from the apps, and ends their connections, until `restoreDatabase`. */
  async cutDatabase(): Promise<void> {
    await this.database.cut();
  }

  async restoreDatabase(): Promise<void> {
    await this.database.restore();
  }
}

/** @throws {Error} as long as the gateway is not ready */
async function assertReady({ url, app }: AppProcess): Promise<void> {
  const { status } = await fetch(new URL(getHealthReady.path, url));
  if (status !== 200) throw new Error(`${app} is not ready: its answer is ${status}`);
}
