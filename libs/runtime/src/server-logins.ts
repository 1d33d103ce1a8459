/**
 * Remembers who was let in at customers' servers, and counts the log-ins that failed at an address, over all accounts and processes.
 * A log-in takes a place before it is tried, so that many at once find no more places than one after the other. No account can take all
 * places from the others.
 */
import type { DataSource, EntityManager } from 'typeorm';
import { z } from 'zod';
import type { FailedLogins } from './config.js';
import { inTransaction } from './in-transaction.js';

/** Who logs in, and where by its name. The name alone says little: who has its name server leads it anywhere. */
export interface LoginOf {
  instanceId: string;
  host: string;
  port: number;
  user: string;
}

/** A place among the log-ins that may fail. */
export type LoginPlace = readonly string[];

/** So many log-ins of a known instance may fail where no others are tried. */
const mostOfKnown = 20;
/** So many addresses are remembered of a name. */
const mostAddresses = 64;
const yearAgo = `now() - interval '1 year'`;
const rows = z.array(z.object({ id: z.string() }));
const numbers = z.array(z.object({ count: z.int() })).length(1);
const counts = z.array(z.object({ total: z.int(), own: z.int() })).length(1);

export class ServerLogins {
  constructor(
    private readonly dataSource: DataSource,
    private readonly limit: FailedLogins,
  ) {}

  /** Whether the instance was let in before as the same user, at each of these addresses. */
  async wasLetIn({ instanceId, host, port, user }: LoginOf, addresses: readonly string[]): Promise<boolean> {
    const found: unknown = await this.dataSource.query(
      `select count(*)::int as count from server_login
       where instance_id = $1 and host = $2 and port = $3 and user_name = $4 and address = any($5)`,
      [instanceId, host.toLowerCase(), port, user, addresses],
    );
    return numbers.parse(found)[0]?.count === addresses.length;
  }

  /** @param address the one at which it was let in, in its one form */
  async letIn({ instanceId, host, port, user }: LoginOf, address: string): Promise<void> {
    const login = [instanceId, host.toLowerCase(), port, user];
    await this.dataSource.query(
      `insert into server_login (instance_id, host, port, user_name, address) values ($1, $2, $3, $4, $5)
       on conflict (instance_id, host, port, user_name, address) do update set let_in_at = now()`,
      [...login, address],
    );
    // A name server may lead a name to a new address each time.
    await this.dataSource.query(
      `delete from server_login where instance_id = $1 and host = $2 and port = $3 and user_name = $4 and let_in_at < (
         select let_in_at from server_login where instance_id = $1 and host = $2 and port = $3 and user_name = $4
         order by let_in_at desc offset $5 limit 1)`,
      [...login, mostAddresses - 1],
    );
  }

  /**
   * @param servers what log-ins are counted by, such as an address with its port
   * @param isKnown whether it was let in before. Then it may try, even where nobody else may try at all
   * @param accountId whose log-in it is: an account may have half of the places, and always one. Default: all of them are the caller's
   * @returns a place at each of them; undefined when one has none left
   */
  async take(
    servers: readonly string[],
    { isKnown = false, accountId }: { isKnown?: boolean; accountId?: string | undefined } = {},
  ): Promise<LoginPlace | undefined> {
    const most = isKnown && this.limit.most === 0 ? mostOfKnown : this.limit.most;
    return inTransaction(this.dataSource, async (manager) => {
      await manager.query(`delete from refused_login where refused_at < now() - $1 * interval '1 millisecond'`, [
        this.limit.withinMs,
      ]);
      await manager.query(`delete from server_login where let_in_at < ${yearAgo}`);
      const places: string[] = [];
      // In one order, so that two log-ins that meet at several of them never wait for each other.
      for (const server of [...servers].sort()) {
        const place = await this.takeAt(manager, server, most, accountId);
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

  private async takeAt(
    manager: EntityManager,
    server: string,
    most: number,
    accountId: string | undefined,
  ): Promise<string | undefined> {
    await manager.query(`select pg_advisory_xact_lock(hashtextextended('login ' || $1, 0))`, [server]);
    const counted: unknown = await manager.query(
      `select count(*)::int as total, count(*) filter (where account_id = $2)::int as own from refused_login where server = $1`,
      [server, accountId ?? null],
    );
    const [{ total, own } = { total: 0, own: 0 }] = counts.parse(counted);
    const isFree = total < most || (accountId !== undefined && own === 0);
    if (most === 0 || !isFree || own >= Math.ceil(most / 2)) return undefined;
    const made: unknown = await manager.query(
      'insert into refused_login (server, account_id) values ($1, $2) returning id',
      [server, accountId ?? null],
    );
    return rows.parse(made)[0]?.id;
  }
}
