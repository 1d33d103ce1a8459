/**
 * Names the ledger, so that readers notice when it may have lost its end: after a restore to an earlier time, or a failover
 * with a loss. Positions are given anew then, and mean something else than before. A new name costs nothing, so one is given
 * whenever a loss is possible.
 */
import type { Logger } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { z } from 'zod';

const found = z
  .array(
    z.object({
      id: z.string().nullable(),
      server: z.string().nullable(),
      /** The timeline, which a promoted or restored server changes, and the database. Null on a standby, which writes no name. */
      place: z.string().nullable(),
      head: z.coerce.number(),
    }),
  )
  .length(1);
const systems = z.array(z.object({ system: z.string() }));

/** How long a former name is kept. */
const namesKept = `interval '30 days'`;
/** No failover is over sooner than this after the last answer of the server before. */
const trustMs = 1_000;

export class LedgerIdentity {
  private reading: Promise<string> | undefined;
  private readAt = Number.NEGATIVE_INFINITY;
  private seen: { id: string; head: number } | undefined;

  constructor(
    private readonly dataSource: DataSource,
    private readonly log: Logger,
    /** A clock in milliseconds that only rises. */
    private readonly elapsedMs: () => number = () => performance.now(),
  ) {}

  /** The name of the ledger, as it was within the last second. @throws what the database throws */
  current(): Promise<string> {
    if (this.reading && this.elapsedMs() - this.readAt < trustMs) return this.reading;
    this.readAt = this.elapsedMs();
    this.reading = this.read().catch((error: unknown) => {
      this.reading = undefined;
      throw error;
    });
    return this.reading;
  }

  /** The position of the last event when the name was read. */
  get end(): number {
    return this.seen?.head ?? 0;
  }

  /** Names the ledger anew, because something is known that it has lost. Does nothing when it has another name already. */
  async hasLost(id: string, reason: string): Promise<void> {
    const { server } = await this.look();
    await this.rename(id, server ?? '', reason);
    this.reading = undefined;
  }

  private async read(): Promise<string> {
    const { id, server, place, head } = await this.look();
    if (place === null) {
      this.seen = { id: id ?? '', head };
      return this.seen.id;
    }
    const here = `${await this.system()}/${place}`;
    if (id === null || server === null || !isSameServer(server, here)) {
      await this.rename(id, here, id === null ? 'the first name' : `the ledger was held by ${server} before`);
    } else if (this.seen?.id === id && head < this.seen.head) {
      await this.rename(id, here, `the ledger ended at ${this.seen.head} before, and ends at ${head}`);
    } else {
      if (server.startsWith('/') && server !== here) await this.complete(id, here);
      this.seen = { id, head };
      return id;
    }
    const renamed = await this.look();
    this.seen = { id: renamed.id ?? '', head: renamed.head };
    return this.seen.id;
  }

  private async look() {
    const rows: unknown = await this.dataSource.query(
      `select newest.id, newest.server, ledger_head() as head,
         case when not pg_is_in_recovery() then
           left(pg_walfile_name(pg_current_wal_lsn()), 8) || '/' || (select oid from pg_database where datname = current_database())
         end as place
       from (values (1)) as one left join (select id, server from ledger_identity order by n desc limit 1) newest on true`,
    );
    const [row] = found.parse(rows);
    if (!row) throw new Error('the ledger told no end');
    return row;
  }

  /** A role that may not ask for it gives nothing, and then the timeline and the database count alone. */
  private async system(): Promise<string> {
    const rows: unknown = await this.dataSource
      .query('select system_identifier::text as system from pg_control_system()')
      .catch((error: unknown) => {
        if (error instanceof Error && 'code' in error && error.code === '42501') return [];
        throw error;
      });
    return systems.parse(rows)[0]?.system ?? '';
  }

  /** The name was given by a role that could not ask for the system identifier. From now on another server is noticed by it. */
  private async complete(id: string, server: string): Promise<void> {
    await this.dataSource.query('update ledger_identity set server = $2 where id::text = $1', [id, server]);
  }

  /** Nobody asks for a former name. Some are kept for people who look for the reason of a reset. */
  private async forgetOld(): Promise<void> {
    await this.dataSource.query(
      `delete from ledger_identity where n in (
         select n from ledger_identity where began_at < now() - ${namesKept} and n < (select max(n) from ledger_identity)
         order by n limit 1000)`,
    );
  }

  private async rename(from: string | null, server: string, reason: string): Promise<void> {
    const rows: unknown = await this.dataSource.query(
      `with named as (
         insert into ledger_identity (server, reason) select $2, $3
         where (select id::text from ledger_identity order by n desc limit 1) is not distinct from $1::text returning id
       ) select id from named`,
      [from, server, reason],
    );
    const [named] = z.array(z.object({ id: z.string() })).parse(rows);
    if (named) await this.forgetOld();
    if (named && from !== null) {
      this.log.warn({ ledger: named.id, before: from, reason }, 'the ledger may have lost its end, and has a new name');
    }
  }
}

/**
 * Whether two descriptions are of the same server, timeline and database. The roles of one deployment may differ: where one of them
 * could not ask for the system identifier, the others must not take that for another server.
 */
function isSameServer(one: string, other: string): boolean {
  const [[system = '', ...place], [otherSystem = '', ...otherPlace]] = [one.split('/'), other.split('/')];
  if (place.join('/') !== otherPlace.join('/')) return false;
  return system === otherSystem || system === '' || otherSystem === '';
}
