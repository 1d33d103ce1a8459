/**
 * The database as the gateway has it: perhaps not yet. The process starts and says that it lives while the database is
 * away; it answers 503 until the database has been there once, and what comes later is the connection pool's to mend.
 */
import type { OnApplicationShutdown, OnModuleDestroy, OnModuleInit } from '@nestjs/common';
import { prepareDatabase } from '@strongroom/database';
import { type RuntimeParts, waitFor } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { unavailable } from './http-fault.js';

/** A database that is there is ready well within this, and then the gateway is ready as soon as it listens. */
const startsWithoutMs = 5_000;

export class LateDatabase implements OnModuleInit, OnModuleDestroy, OnApplicationShutdown {
  private readonly stopping = new AbortController();
  private connecting: Promise<void> | undefined;

  constructor(
    private readonly dataSource: DataSource,
    private readonly parts: RuntimeParts,
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

  /** @throws {HttpFault} serviceUnavailable while the database was never there */
  require(): void {
    if (this.dataSource.isInitialized) return;
    throw unavailable("The ledger's database is not there yet: nothing was changed. Try again.");
  }

  private async connect(): Promise<void> {
    const { signal } = this.stopping;
    try {
      await prepareDatabase(this.parts, signal);
      await waitFor('the database', () => this.dataSource.initialize(), this.parts.log, { signal });
    } catch (error) {
      // While it waits every error is told of; what is left is the end of the waiting.
      if (!signal.aborted) throw error;
    }
  }
}
