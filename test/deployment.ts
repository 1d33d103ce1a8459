/**
 * A whole Strongroom for a test: a database of its own, vaults in a temporary folder, and the built apps as processes
 * that can be started, stopped and killed one by one.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRefusal } from '@strongroom/contracts';
import { createDataSource } from '@strongroom/database';
import { backupDecider, copyId, scheduledBackupId } from '@strongroom/domain';
import { execute, Ledger } from '@strongroom/ledger';
import { RandomIds } from '@strongroom/runtime';
import pg from 'pg';
import { z } from 'zod';
import { type App, AppProcess } from './app-process.js';
import { createTestDatabase } from './services/database.js';
import { eventually } from './services/eventually.js';
import { VaultFolders } from './vault-folders.js';

/** A customer's server, as `POST /instances` wants it. */
export interface CustomerServer {
  host: string;
  port: number;
  user: string;
  password: string;
}

const backupAnswer = z.object({
  backup: z.looseObject({
    id: z.string(),
    status: z.string(),
    checksum: z.string().nullable(),
    fault: z.unknown(),
    schedule_id: z.string().nullable(),
    copies: z.array(z.looseObject({ region: z.string(), status: z.string(), checksum: z.string().nullable() })),
  }),
});
export type BackupSeen = z.infer<typeof backupAnswer>['backup'];

const instanceAnswer = z.object({
  instance: z.looseObject({
    id: z.string(),
    status: z.string(),
    port: z.int().nullable(),
    fault: z.looseObject({ code: z.string() }).nullable(),
  }),
});
export type InstanceSeen = z.infer<typeof instanceAnswer>['instance'];

const backupsAnswer = z.object({ backups: z.array(z.looseObject({ id: z.string() })) });
const created = z.object({
  instance: z.object({ id: z.string() }).optional(),
  schedule: z.object({ id: z.string() }).optional(),
  backup: z.object({ id: z.string() }).optional(),
});

export interface Answer {
  status: number;
  headers: Headers;
  body: unknown;
}

export interface DeploymentOptions {
  feed: { kind: 'embedded' } | { kind: 'kafka'; brokers: string };
  /** More environment for every app. */
  env?: Record<string, string>;
  /** A folder with another build of the apps. */
  project?: string;
}

export class Deployment {
  readonly accountId = 'acme';
  readonly vaults: VaultFolders;
  private readonly processes = new Set<AppProcess>();
  private readonly tokens = { admin: randomBytes(16).toString('hex'), observer: randomBytes(16).toString('hex') };

  private constructor(
    private readonly folder: string,
    private readonly database: Awaited<ReturnType<typeof createTestDatabase>>,
    private readonly options: DeploymentOptions,
  ) {
    this.vaults = new VaultFolders(join(folder, 'vaults'));
  }

  static async create(options: DeploymentOptions): Promise<Deployment> {
    const folder = await mkdtemp(join(tmpdir(), 'strongroom-test-'));
    const deployment = new Deployment(folder, await createTestDatabase(), options);
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

  get databaseUrl(): string {
    return this.database.url;
  }

  async start(app: App, env: Record<string, string> = {}): Promise<AppProcess> {
    const { feed } = this.options;
    const started = await AppProcess.start(
      app,
      {
        PATH: process.env.PATH,
        UV_THREADPOOL_SIZE: '16',
        STRONGROOM_DATABASE_URL: this.database.url,
        STRONGROOM_FEED: feed.kind,
        ...(feed.kind === 'kafka' ? { KAFKA_BROKERS: feed.brokers } : {}),
        STRONGROOM_NAMESPACE: `test-${this.database.name}`,
        STRONGROOM_HTTP_PORT: '0',
        STRONGROOM_VAULTS: this.vaults.urls,
        STRONGROOM_TOKENS_FILE: join(this.folder, 'tokens.json'),
        STRONGROOM_SECRET_KEY_FILE: join(this.folder, 'secret-key'),
        STRONGROOM_LEASE_SECONDS: '3',
        STRONGROOM_COPY_RETRY_SECONDS: '1',
        STRONGROOM_SUPERVISED: '1',
        ...this.options.env,
        ...env,
      },
      this.logFile(app),
      this.options.project,
    );
    this.processes.add(started);
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

  /** Ends every process and removes everything. */
  async remove(): Promise<void> {
    await this.stopAll();
    await this.database.drop();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** The header with the token of a role. */
  token(role: 'admin' | 'observer' = 'admin'): { 'x-auth-token': string } {
    return { 'x-auth-token': this.tokens[role] };
  }

  /** One call to the API, as the admin of the account. */
  async call(api: AppProcess, method: string, path: string, body?: unknown): Promise<Answer> {
    const response = await fetch(`${api.url}/v1.0/${this.accountId}${path}`, {
      method,
      headers: {
        ...this.token(),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
  }

  /** Registers a server and returns the instance's id. */
  async register(api: AppProcess, server: CustomerServer): Promise<string> {
    const { host, port, user, password } = server;
    const answer = await this.call(api, 'POST', '/instances', {
      instance: {
        name: `customer-${randomUUID().slice(0, 8)}`,
        datastore: { type: 'postgresql', version: '18' },
        connection: { host, port, user, password, database: 'postgres', tls: 'disable' },
      },
    });
    return this.idOf(answer, 200, 'instance');
  }

  /** Creates a schedule and returns its id. By default its slots are far from now. */
  async schedule(api: AppProcess, instanceId: string, fields: Record<string, unknown> = {}): Promise<string> {
    const away = new Date(Date.now() - 3_600_000);
    const answer = await this.call(api, 'POST', '/schedules', {
      schedule: {
        action: 'backup',
        instance_id: instanceId,
        day_of_week: 7,
        hour: away.getUTCHours(),
        minute: away.getUTCMinutes(),
        copy_to: ['IAD', 'ORD'],
        ...fields,
      },
    });
    return this.idOf(answer, 202, 'schedule');
  }

  /** Runs a schedule now and returns the backup's id. */
  async runNow(api: AppProcess, scheduleId: string): Promise<string> {
    const before = new Set((await this.backups(api)).map(({ id }) => id));
    const answer = await this.call(api, 'PUT', `/schedules/${scheduleId}`, { schedule: { run_now: true } });
    if (answer.status !== 202) throw new Error(`run_now answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    const made = (await this.backups(api)).find(({ id }) => !before.has(id));
    if (!made) throw new Error('run_now answered 202 and the list shows no new backup');
    return made.id;
  }

  /** Takes a backup of the instance and returns its id. */
  async backUp(api: AppProcess, instanceId: string, fields: Record<string, unknown> = {}): Promise<string> {
    const backup = { name: 'by hand', instance: instanceId, ...fields };
    return this.idOf(await this.call(api, 'POST', '/backups', { backup }), 202, 'backup');
  }

  /** Asks for a server to be built from a backup and returns the instance's id. */
  async restore(api: AppProcess, backupId: string): Promise<string> {
    const restorePoint = { backupRef: backupId };
    const asked = { name: 'restored', restorePoint, flavorRef: '1', volume: { size: 1 } };
    return this.idOf(await this.call(api, 'POST', '/instances', { instance: asked }), 200, 'instance');
  }

  /** Waits until the instance has the status. */
  untilInstance(api: AppProcess, id: string, status: string, withinMs = 60_000): Promise<InstanceSeen> {
    return eventually(
      async () => {
        const { instance } = instanceAnswer.parse((await this.call(api, 'GET', `/instances/${id}`)).body);
        if (instance.status !== status) throw new Error(`the instance is ${JSON.stringify(instance)}`);
        return instance;
      },
      { withinMs },
    );
  }

  async backups(api: AppProcess): Promise<{ id: string }[]> {
    const { body } = await this.call(api, 'GET', '/backups');
    return backupsAnswer.parse(body).backups;
  }

  async backup(api: AppProcess, backupId: string): Promise<BackupSeen> {
    const { status, body } = await this.call(api, 'GET', `/backups/${backupId}`);
    if (status !== 200) throw new Error(`GET backup ${backupId} answered ${status}: ${JSON.stringify(body)}`);
    return backupAnswer.parse(body).backup;
  }

  /** Waits until the backup is as it should be. */
  until(
    api: AppProcess,
    backupId: string,
    holds: (backup: BackupSeen) => boolean,
    withinMs = 60_000,
  ): Promise<BackupSeen> {
    return eventually(
      async () => {
        const backup = await this.backup(api, backupId);
        if (!holds(backup)) throw new Error(`backup ${backupId} is not there yet: ${JSON.stringify(backup)}`);
        return backup;
      },
      { withinMs },
    );
  }

  /** Waits until the backup is completed and every region it is owed to holds a completed copy of the same digest. */
  untilCopied(api: AppProcess, backupId: string, withinMs = 60_000): Promise<BackupSeen> {
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

  /** Has a slot run that was due at some time, as the hand of the clock does. @returns the backup's id */
  async runSlot({ instanceId, scheduleId }: { instanceId: string; scheduleId: string }, slotAt: Date): Promise<string> {
    const dataSource = await createDataSource({ url: this.database.url, applicationName: 'spec' }).initialize();
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
        const [row] = await this.query("select count(*)::int as jobs from job where kind <> 'sweep'");
        if (row?.jobs !== 0) throw new Error(`${row?.jobs} jobs are left`);
      },
      { withinMs: 30_000 },
    );
  }

  /** The ends of the attempts at a copy, in their order. */
  async attemptsAt(backupId: string, region: string): Promise<string[]> {
    const rows = await this.query(
      `select data->>'code' as code from ledger_event
       where type = 'CopyAttemptFailed' and data->>'backupId' = '${backupId}' and data->>'region' = '${region}' order by position`,
    );
    return rows.map(({ code }) => String(code));
  }

  /** How often the copy to a region has been taken in hand since it was asked for. */
  async leasesOf(backupId: string, region: string): Promise<number> {
    const [row] = await this.query(`select attempt from job where id = '${copyId(backupId, region)}'`);
    return Number(row?.attempt ?? 0);
  }

  /** Puts off what waits in a lane, as when it has waited for long. */
  async putOff(lane: string): Promise<void> {
    await this.query(`update job set ready_at = now() + interval '1 day' where lane = '${lane}' and ready_at > now()`);
  }

  /** Makes every row of a view look as if nothing had happened to it for long. */
  async age(view: 'copy_view'): Promise<void> {
    await this.query(`update ${view} set updated_at = updated_at - interval '10 minutes'`);
  }

  async readyNow(backupId: string, region: string): Promise<void> {
    await this.query(`update job set ready_at = now() where id = '${copyId(backupId, region)}'`);
  }

  /** Every event, as text. */
  async everythingStored(): Promise<string> {
    return JSON.stringify(await this.query('select * from ledger_event'));
  }

  private async query(sql: string): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: this.database.url });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  /** Refuses the apps their database and ends their connections, until `restoreDatabase`. */
  async cutDatabase(): Promise<void> {
    await this.database.cut();
  }

  async restoreDatabase(): Promise<void> {
    await this.database.restore();
  }

  private idOf({ status, body }: Answer, expected: number, key: 'instance' | 'schedule' | 'backup'): string {
    if (status !== expected) throw new Error(`expected ${expected}, got ${status}: ${JSON.stringify(body)}`);
    const id = created.parse(body)[key]?.id;
    if (id === undefined) throw new Error(`no ${key} in the answer: ${JSON.stringify(body)}`);
    return id;
  }
}
