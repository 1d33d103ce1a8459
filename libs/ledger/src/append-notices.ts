/**
 * Listens to PostgreSQL's notices of appends on a connection of its own, for all readers of a process, and makes a new connection when
 * that one is lost. While there is none, readers are called each second, because they miss what is appended.
 *
 * A connection that is lost without a word tells nothing either. So it is asked for an answer now and then.
 */
import type { Client } from 'pg';
import type { EntityManager } from 'typeorm';

const reconnectMs = 1_000;
const lookMs = 15_000;
const answerMs = 5_000;

/** Wakes the readers of the ledger in all processes when the manager's transaction ends, as an append does: their places have changed. */
export async function wakeReaders(manager: Pick<EntityManager, 'query'>): Promise<void> {
  await manager.query(`select pg_notify('strongroom_ledger', '')`);
}

export class AppendNotices {
  private readonly readers = new Set<() => void>();
  private client: Client | undefined;
  private isListening = false;
  private retry: NodeJS.Timeout | undefined;
  private looking: NodeJS.Timeout | undefined;

  constructor(private readonly connect: () => Client) {}

  /** Calls a reader once soon, and then after appends. @returns a function that ends it, and with the last reader the connection */
  add(wake: () => void): () => Promise<void> {
    // Each reader is one of its own, though two may share a function.
    const reader = () => wake();
    this.readers.add(reader);
    if (this.readers.size === 1) this.start();
    else if (this.isListening) setImmediate(() => this.readers.has(reader) && reader());
    return async () => {
      if (this.readers.delete(reader) && this.readers.size === 0) await this.stop();
    };
  }

  private start(): void {
    const client = this.connect();
    this.client = client;
    const lost = () => {
      client.removeAllListeners('notification');
      client.on('error', () => {});
      client.end().catch(() => {});
      if (this.client !== client) return;
      this.client = undefined;
      this.isListening = false;
      clearTimeout(this.looking);
      this.retry = setTimeout(() => {
        this.wake();
        this.start();
      }, reconnectMs);
    };
    client.once('error', lost);
    client.once('end', lost);
    client.on('notification', () => this.wake());
    client
      .connect()
      .then(() => client.query('listen strongroom_ledger'))
      .then(() => {
        if (this.client !== client) return;
        this.isListening = true;
        // Events may have been appended while nobody listened: each reader looks once.
        this.wake();
        this.lookAtSoon(client, lost);
      })
      .catch(lost);
  }

  private lookAtSoon(client: Client, lost: () => void): void {
    this.looking = setTimeout(() => {
      const late = setTimeout(lost, answerMs);
      client
        .query('select 1')
        .then(() => {
          if (this.client === client) this.lookAtSoon(client, lost);
        })
        .catch(lost)
        .finally(() => clearTimeout(late));
    }, lookMs);
  }

  private wake(): void {
    for (const reader of this.readers) reader();
  }

  private async stop(): Promise<void> {
    clearTimeout(this.retry);
    clearTimeout(this.looking);
    const { client } = this;
    this.client = undefined;
    this.isListening = false;
    client?.removeAllListeners();
    client?.on('error', () => {});
    await client?.end().catch(() => {});
  }
}
