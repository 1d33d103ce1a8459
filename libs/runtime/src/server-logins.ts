/**
 * Remembers who was let in at customers' servers, and counts the log-ins that failed at an address, over all accounts and processes.
 * A log-in takes a place before it is tried, so that many at once find no more places than one after the other.
 */
import type { DataSource, EntityManager } from 'typeorm';
import { z } from 'zod';
import type { FailedLogins } from './config.js';
import { inTransaction } from './in-transaction.js';

/** Who logs in, and where by its name. */
export interface LoginOf {
  instanceId: string;
  host: string;
  port: number;
  user: string;
}

/** A place among the log-ins that may fail. */
export type LoginPlace = readonly string[];

const yearAgo = `now() - interval '1 year'`;
const rows = z.array(z.object({ id: z.string() }));
const counts = z.array(z.object({ count: z.int() })).length(1);

export class ServerLogins {
  constructor(
    private readonly dataSource: DataSource,
    private readonly limit: FailedLogins,
  ) {}

  /** Whether the instance was let in there before, as the same user. */
  async wasLetIn({ instanceId, host, port, user }: LoginOf): Promise<boolean> {
    const found: unknown = await this.dataSource.query(
      `select instance_id as id from server_login where instance_id = $1 and host = $2 and port = $3 and user_name = $4`,
      [instanceId, host.toLowerCase(), port, user],
    );
    return rows.parse(found).length > 0;
  }

  async letIn({ instanceId, host, port, user }: LoginOf): Promise<void> {
    await this.dataSource.query(
      `insert into server_login (instance_id, host, port, user_name) values ($1, $2, $3, $4)
       on conflict (instance_id, host, port, user_name) do update set let_in_at = now()`,
      [instanceId, host.toLowerCase(), port, user],
    );
  }

  /**
   * @param servers what log-ins are counted by, such as an address with its port
   * @returns a place at each of them; undefined when one has none left
   */
  async take(servers: readonly string[]): Promise<LoginPlace | undefined> {
    return inTransaction(this.dataSource, async (manager) => {
      await manager.query(`delete from refused_login where refused_at < now() - $1 * interval '1 millisecond'`, [
        this.limit.withinMs,
      ]);
      await manager.query(`delete from server_login where let_in_at < ${yearAgo}`);
      const places: string[] = [];
      // In one order, so that two log-ins that meet at several of them never wait for each other.
      for (const server of [...servers].sort()) {
        const place = await this.takeAt(manager, server);
        if (place === undefined) {
          await manager.query('delete from refused_login where id = any($1)', [places]);
          return undefined;
        }
        places.push(place);
      }
      return places;
    });
  }

  /** The log-in was not refused, so its place is free again. */
  async giveBack(place: LoginPlace): Promise<void> {
    await this.dataSource.query('delete from refused_login where id = any($1)', [place]);
  }

  private async takeAt(manager: EntityManager, server: string): Promise<string | undefined> {
    await manager.query(`select pg_advisory_xact_lock(hashtextextended('login ' || $1, 0))`, [server]);
    const counted: unknown = await manager.query('select count(*)::int as count from refused_login where server = $1', [
      server,
    ]);
    if ((counts.parse(counted)[0]?.count ?? 0) >= this.limit.most) return undefined;
    const made: unknown = await manager.query('insert into refused_login (server) values ($1) returning id', [server]);
    return rows.parse(made)[0]?.id;
  }
}
