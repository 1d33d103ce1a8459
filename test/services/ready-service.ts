/** A service with handlers in a test's own process, over real HTTP, whose readiness is asked while a table is missing. */
import { expect } from '@jest/globals';
import { connectFeed } from '@strongroom/feed';
import { wakeReaders } from '@strongroom/ledger';
import {
  type ConfigOf,
  LimitsInForce,
  openService,
  type Service,
  type ServiceOptions,
  SetTransferLimits,
} from '@strongroom/runtime';
import pg from 'pg';
import { createTestDatabase, openDataSource, type TestDatabase } from './database.js';
import { eventually } from './eventually.js';
import { SpecRuntime } from './runtime-parts.js';

type App = 'scheduler' | 'replicator';

export class ReadyService {
  private constructor(
    private readonly database: TestDatabase,
    private readonly runtime: SpecRuntime,
    private readonly service: Service,
    private readonly admin: pg.Client,
  ) {}

  static async open<A extends App>(app: A, module: ServiceOptions<ConfigOf[A]>['module']): Promise<ReadyService> {
    const database = await createTestDatabase();
    const runtime = await SpecRuntime.create('DFW');
    const parts = runtime.partsOf(app, database.url, ['DFW']);
    const http = { ...parts.config.http, host: '127.0.0.1', port: 0 };
    const service = await openService(
      { ...parts, config: { ...parts.config, http } },
      { module, configure: (opened, own) => connectFeed(opened, own, { readinessNeedsFeed: true }) },
    );
    const admin = new pg.Client({ connectionString: database.url });
    await admin.connect();
    return new ReadyService(database, runtime, service, admin);
  }

  async close(): Promise<void> {
    await this.admin.end();
    await this.service.close();
    await this.runtime.remove();
    await this.database.drop();
  }

  /** Waits until it is ready, and until it says so of these checks. */
  async isReady(...checks: string[]): Promise<void> {
    await eventually(async () => expect((await this.ready()).status).toBe(200), { withinMs: 30_000 });
    const { text } = await this.ready();
    for (const name of checks) expect(text).toContain(`"${name}":{"ok":true`);
  }

  /** Waits until it is not ready without the table, and until the check says what is wrong. The table is put back then. */
  async isNotReadyWithout(table: string, check: string, told: string): Promise<void> {
    await this.admin.query(`alter table ${table} rename to missing_for_spec`);
    // What looks seldom by itself looks at once after an append.
    await wakeReaders(this.admin);
    try {
      await eventually(
        async () => {
          const { status, text } = await this.ready();
          expect(status).toBe(503);
          expect(text).toMatch(new RegExp(`"${check}":\\{"ok":false[^}]*${told}`));
        },
        { withinMs: 30_000 },
      );
    } finally {
      await this.admin.query(`alter table missing_for_spec rename to ${table}`);
    }
  }

  /** Has an operator limit the transfers of region DFW while it runs, and waits until it has taken each limit. */
  async takesLimits(): Promise<void> {
    const operator = await openDataSource({ url: this.database.url, applicationName: 'operator' });
    const limits = new SetTransferLimits(operator);
    const cap = 'strongroom_transfer_limit_at_a_time{region="DFW"}';
    const rate = 'strongroom_transfer_limit_bytes_per_second{limit="DFW"}';
    try {
      await limits.setCap('DFW', 3);
      await limits.set('DFW', 5_000_000);
      await this.measures((text) => expect(text).toEqual(expect.stringContaining(`${cap} 3\n`)));
      await this.measures((text) => expect(text).toEqual(expect.stringContaining(`${rate} 5000000\n`)));
      await limits.setCap('DFW', 1);
      await this.measures((text) => expect(text).toEqual(expect.stringContaining(`${cap} 1\n`)));
      await limits.unsetCap('DFW');
      await this.measures((text) => expect(text).not.toContain(cap));
    } finally {
      await operator.destroy();
    }
  }

  /** Has an operator limit the process while it runs, and waits until it has told that it keeps to that. */
  async tellsLimits(): Promise<void> {
    const operator = await openDataSource({ url: this.database.url, applicationName: 'operator' });
    const limits = new LimitsInForce(operator);
    const ofProcess = { scope: 'process', bytesPerSecond: 7_000_000, atATime: null, requestsAtATime: null };
    try {
      await new SetTransferLimits(operator).set('process', 7_000_000);
      await eventually(async () => expect(await limits.known()).toContainEqual(ofProcess), { withinMs: 30_000 });
    } finally {
      await operator.destroy();
    }
  }

  private async measures(check: (metrics: string) => void): Promise<void> {
    await eventually(async () => check((await this.get('/metrics')).text), { withinMs: 30_000 });
  }

  private ready(): Promise<{ status: number; text: string }> {
    return this.get('/health/ready');
  }

  private async get(path: string): Promise<{ status: number; text: string }> {
    const answer = await fetch(`${this.service.url}${path}`);
    return { status: answer.status, text: await answer.text() };
  }
}
