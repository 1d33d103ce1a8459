/** Listens to PostgreSQL's notices of appends on its own connection, and makes a new connection when that one is lost. */
import type { Client } from 'pg';

const reconnectMs = 1_000;

export class AppendNotices {
  private client: Client | undefined;
  private retry: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    private readonly connect: () => Client,
    private readonly wake: () => void,
  ) {}

  start(): void {
    const client = this.connect();
    this.client = client;
    const lost = () => {
      client.removeAllListeners('notification');
      client.on('error', () => {});
      client.end().catch(() => {});
      if (this.client !== client || this.stopped) return;
      this.client = undefined;
      this.retry = setTimeout(() => this.start(), reconnectMs);
    };
    client.once('error', lost);
    client.once('end', lost);
    client.on('notification', this.wake);
    client
      .connect()
      .then(() => client.query('listen strongroom_ledger'))
      // Events may have been appended while nobody listened: the reader looks once.
      .then(this.wake, lost);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.retry);
    const { client } = this;
    this.client = undefined;
    client?.removeAllListeners();
    client?.on('error', () => {});
    await client?.end().catch(() => {});
  }
}
