/**
 * The gateway's database, which may be away when the process starts. Until it has been reached once, the process says that it
 * lives and answers 503. The connection pool copes with every later outage.
 */
import { Inject, type OnApplicationShutdown, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { prepareDatabase } from '@strongroom/database';
import { type AppConfig, configToken, type Logger, loggerToken, waitFor } from '@strongroom/runtime';
import { DataSource } from 'typeorm';
import { unavailable } from './http-fault.js';

/** What is done in the database before the first request of an account is let in. */
export type FirstWork = () => Promise<void>;
export const firstWorkToken = Symbol('FirstWork');

/** A database that is up is ready well within this time, so that the gateway is ready as soon as it listens. */
const startsWithoutMs = 5_000;

export class LateDatabase implements OnModuleInit, OnModuleDestroy, OnApplicationShutdown {
  private readonly stopping = new AbortController();
  private connecting: Promise<void> | undefined;
  private isReady = false;

  constructor(
    @Inject(DataSource) private readonly dataSource: DataSource,
    @Inject(configToken) private readonly config: AppConfig,
    @Inject(loggerToken) private readonly log: Logger,
    @Inject(firstWorkToken) private readonly firstWork: FirstWork,
  ) {}

  /** Nest calls it once for the HTTP server and once for the feed. */
  async onModuleInit(): Promise<void> {
    this.connecting ??= this.connect();
    let timer: NodeJS.Timeout | undefined;
    const longEnough = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, startsWithoutMs);
    });
    await Promise.race([this.connecting, longEnough]);
    clearTimeout(timer);
  }

  onModuleDestroy(): void {
    this.stopping.abort(new Error('the gateway is stopping'));
  }

  async onApplicationShutdown(): Promise<void> {
    await this.connecting;
    if (this.dataSource.isInitialized) await this.dataSource.destroy();
  }

  /** @throws {HttpFault} serviceUnavailable until the database has been reached for the first time */
  require(): void {
    if (this.isReady) return;
    throw unavailable("The ledger's database is not there yet: nothing was changed. Try again.");
  }

  private async prepare(): Promise<void> {
    if (!this.dataSource.isInitialized) await this.dataSource.initialize();
    await this.firstWork();
  }

  private async connect(): Promise<void> {
    const { signal } = this.stopping;
    try {
      await prepareDatabase({ config: this.config, log: this.log }, signal);
      await waitFor('the database', () => this.prepare(), this.log, { signal });
      this.isReady = true;
    } catch (error) {
      // Every error was logged while it waited; what arrives here when the gateway stops is only the end of the waiting.
      if (!signal.aborted) throw error;
    }
  }
}
