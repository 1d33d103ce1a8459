/** A ledger whose feed has lost every message: the offsets say that all events were handled, and none was. */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { DynamicModule } from '@nestjs/common';
import { type Aggregate, aggregates, type NewEvent, streamOf, topicName } from '@strongroom/contracts';
import { connectFeed } from '@strongroom/feed';
import { Ledger } from '@strongroom/ledger';
import { viewTables } from '@strongroom/read-model';
import {
  type ConfigOf,
  createLogger,
  loadConfig,
  openService,
  RandomIds,
  type RuntimeParts,
  runtimeParts,
  type Service,
} from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { builtServersIn } from './built-servers.js';
import { connectTestDatabase, type TestDatabase } from './database.js';
import { backupsInClear } from './in-clear.js';

export const accountId = 'acme';
const namespace = 'lost';
const regions = ['DFW', 'IAD', 'ORD'];
const context = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };

export class LostMessages {
  readonly ids = new RandomIds();
  readonly ledger: Ledger;
  private readonly services: Service[] = [];

  private constructor(
    private readonly database: TestDatabase,
    readonly dataSource: DataSource,
    private readonly folder: string,
  ) {
    this.ledger = new Ledger(dataSource);
  }

  static async create(): Promise<LostMessages> {
    const { database, dataSource } = await connectTestDatabase({
      applicationName: 'lost-messages',
      entities: viewTables,
    });
    const folder = await mkdtemp(join(tmpdir(), 'strongroom-lost-'));
    for (const region of regions) await mkdir(join(folder, region));
    return new LostMessages(database, dataSource, folder);
  }

  async record(aggregate: Aggregate, id: string, instanceId: string, ...events: NewEvent[]): Promise<void> {
    const stream = streamOf(aggregate, id);
    const outcome = await this.ledger.append({
      stream,
      expectedVersion: (await this.ledger.readStream(stream)).length,
      accountId,
      instanceId,
      context,
      events: events.map((event) => ({ ...event, id: this.ids.next() })),
      claims: [],
      releases: [],
    });
    if (outcome.outcome !== 'appended') throw new Error(`not appended: ${JSON.stringify(outcome)}`);
  }

  /** The types of the events of one stream, in order. */
  async told(aggregate: Aggregate, id: string): Promise<string[]> {
    return (await this.ledger.readStream(streamOf(aggregate, id))).map(({ type }) => type);
  }

  /**
   * Loses the messages and the jobs that came with the events. An older version, which adds no job with an event,
   * leaves the ledger like this.
   */
  async loseAll(app: 'scheduler' | 'replicator'): Promise<void> {
    for (const table of ['job', 'job_news']) await this.dataSource.query(`delete from ${table}`);
    const head = await this.ledger.head();
    for (const aggregate of aggregates) {
      await this.dataSource.query(
        `insert into feed_offset (consumer_group, source, topic, partition, "offset", position) values ($1, 'ledger', $2, 0, $3, $3)
         on conflict (consumer_group, source, topic, partition) do update set "offset" = $3, position = $3`,
        [`${namespace}.${app}`, topicName(aggregate, namespace), head],
      );
    }
  }

  /** Starts an app whose second look waits less. @returns a function that reads its metrics */
  async start<App extends 'scheduler' | 'replicator'>(
    app: App,
    module: (parts: RuntimeParts<ConfigOf[App]>) => DynamicModule,
    feedTakesMs = 500,
  ): Promise<() => Promise<string>> {
    const vault = (region: string) => `${region}=${pathToFileURL(join(this.folder, region)).href}`;
    const config = loadConfig(app, {
      STRONGROOM_DATABASE_URL: this.database.url,
      STRONGROOM_NAMESPACE: namespace,
      STRONGROOM_FEED: 'embedded',
      // The servers and the vaults of these tests never come: each fault ends its backup.
      STRONGROOM_CATCH_UP_MINUTES: '0',
      STRONGROOM_DELETION_DELAY_SECONDS: '0',
      STRONGROOM_CUSTOMER_NETWORKS: '127.0.0.0/8,::1',
      STRONGROOM_HTTP_PORT: '0',
      STRONGROOM_VAULTS: regions.map(vault).join(','),
      STRONGROOM_SECRET_KEY: randomBytes(32).toString('base64'),
      ...backupsInClear,
      ...(app === 'scheduler' && builtServersIn(this.folder)),
    });
    const parts = runtimeParts(config, createLogger({ app, level: 'silent', to: { write() {} } }));
    this.services.push(
      await openService(parts, {
        module: () => module(parts),
        configure: (service) => connectFeed(service, parts, { readinessNeedsFeed: true, feedTakesMs }),
      }),
    );
    return () => parts.metrics.text();
  }

  async stop(): Promise<void> {
    for (const service of this.services.splice(0)) await service.close();
  }

  async remove(): Promise<void> {
    await this.stop();
    await this.dataSource.destroy();
    await this.database.drop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
