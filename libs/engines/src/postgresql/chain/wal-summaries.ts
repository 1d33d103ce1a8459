/**
 * Reads what the server's WAL summaries tell of the changes between two backups, over an ordinary connection to a database: a
 * replication connection may not call functions. It must reach the same server that is backed up. The backup's temporary
 * replication slot proves that: its name is random, so no other server has it.
 */
import { z } from 'zod';
import type { EngineTarget } from '../../engine.js';
import { EngineFault, IncrementalNotPossible } from '../../engine-fault.js';
import { type AnswerLimits, ServerConnection } from '../connection.js';
import { compareLsn } from '../lsn.js';
import * as said from '../server-says.js';
import { saidBy, sqlStateOf } from '../server-words.js';
import { type Ground, notPossible } from './grounds.js';
import type { RelationLimit, Span } from './limit-list.js';

export interface SummariesPatience {
  connectMs: number;
  answerMs: number;
  /** Until the first row comes, which the server puts together out of all its summaries. */
  beginMs: number;
}

const summary = z.object({ start_lsn: said.lsn, end_lsn: said.lsn });
type Summary = z.infer<typeof summary>;
const limit = said.oid.nullable();
const changed = z.object({
  space: said.oid,
  database: said.oid,
  relation: said.oid,
  main: limit,
  fsm: limit,
  vm: limit,
  init: limit,
});
const anything = z.unknown();
const rowsAtOnce = 10_000;
/** Seven numbers of ten digits, each with its length, and the head of the row. */
const mostRowBytes = 128;
/** A server makes a summary at each checkpoint, and keeps them for days. */
const mostSummaries = 200_000;
/** As many relations and forks have no server; the object that tells of them has a few hundred megabytes then. */
const mostLimits = 8_000_000;
/** The size of a page's header. The rest of a page of the visibility map has two bits for each page of the table. */
const pageHeaderBytes = 24;
const pagesInByte = 4;

const notAllowed = '42501';

/**
 * Nothing of the session's defaults is left that could end, hold up or bend what is asked. In one message, since the limits
 * count meanwhile.
 */
const beginning = [
  'begin transaction isolation level read committed read only not deferrable',
  "set local search_path = ''",
  'set local statement_timeout = 0',
  'set local lock_timeout = 0',
  'set local idle_in_transaction_session_timeout = 0',
  'set local transaction_timeout = 0',
].join('; ');

/** Without the name of the table, PostgreSQL would sort by the texts, in which 0/10000028 comes before 0/C000028. */
const listSummaries = `
  select s.start_lsn::text, s.end_lsn::text from pg_catalog.pg_available_wal_summaries() s where s.tli = $1
  order by s.start_lsn, s.end_lsn desc`;
const mayRead = `select pg_catalog.has_function_privilege(
  'pg_catalog.pg_wal_summary_contents(bigint, pg_catalog.pg_lsn, pg_catalog.pg_lsn)', 'execute') as may`;
/**
 * Asks for the lowest limit of each fork of each relation. The visibility map has another limit besides: its bits are cleared
 * when a page of the table changes, and the WAL does not tell that (never in 17.10 and 18.4; not when a table is cut in 18.6).
 * So the parent's map counts only up to the first page of the table that has changed. Beyond it are zeros, except for the pages
 * in the backup, and the next vacuum makes the map anew.
 */
const listLimits = `
  declare limits no scroll cursor for
  select reltablespace::int8 as space, reldatabase::int8 as database, relfilenode::int8 as relation,
    min(relblocknumber) filter (where relforknumber = 0 and is_limit_block) as main,
    min(relblocknumber) filter (where relforknumber = 1 and is_limit_block) as fsm,
    least(min(relblocknumber) filter (where relforknumber = 2 and is_limit_block),
          min(relblocknumber) filter (where relforknumber = 0) / $1::int8) as vm,
    min(relblocknumber) filter (where relforknumber = 3 and is_limit_block) as init
  from unnest($2::pg_lsn[], $3::pg_lsn[]) as s(start_lsn, end_lsn),
    lateral pg_catalog.pg_wal_summary_contents($4::int8, s.start_lsn, s.end_lsn)
  group by 1, 2, 3`;

const findSlot = 'select from pg_catalog.pg_replication_slots where slot_name = $1';

export class WalSummaries {
  private constructor(
    private readonly connection: ServerConnection,
    private readonly patience: SummariesPatience,
  ) {}

  /**
   * @param options.temporarySlot the replication slot that the server must have; undefined where nothing is to be proven
   * @throws {IncrementalNotPossible} `no-database-connection`, also when the signal ends it; {EngineFault} when the server is
   *   away: it gives no full backup either
   */
  static async open(
    target: EngineTarget,
    patience: SummariesPatience,
    { signal, temporarySlot }: { signal: AbortSignal; temporarySlot?: string },
  ): Promise<WalSummaries> {
    const { connectMs, answerMs } = patience;
    let connection: ServerConnection | undefined;
    const stop = () => connection?.destroy();
    signal.addEventListener('abort', stop, { once: true });
    try {
      connection = await ServerConnection.open(target, 'sql', { connectMs, answerMs, signal });
      const summaries = new WalSummaries(connection, patience);
      // A pooler may give each transaction another session, with limits and a search_path of its own.
      await connection.tell(beginning);
      await summaries.list(0);
      const [may] = await connection.ask(mayRead, z.object({ may: said.truth }), { leastRows: 1 });
      if (may?.may !== true) {
        throw Object.assign(new Error('permission denied for function pg_wal_summary_contents'), { code: notAllowed });
      }
      if (temporarySlot !== undefined) {
        const found = await connection.ask(findSlot, anything, { values: [temporarySlot] });
        if (found.length === 0) {
          const error = new Error('it leads to another server than the replication connection');
          throw notPossible(noConnection(target, error, connection.tried), error);
        }
      }
      return summaries;
    } catch (error) {
      connection?.destroy();
      if (error instanceof IncrementalNotPossible) throw error;
      const fault = connection?.faultOf(error) ?? error;
      if (isAway(fault) && !signal.aborted) throw fault;
      throw notPossible(noConnection(target, connection?.silenceFault ?? error, connection?.tried), error);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** Ends the connection at once. */
  close(): void {
    this.connection.destroy();
  }

  /**
   * The limits of all relations that were cut, made or dropped within the span, or whose visibility map may be stale.
   * The first of them are read before this returns. The connection ends with the last.
   * @throws {IncrementalNotPossible} `summaries-missing`
   */
  async limits(span: Span, blockSize: number): Promise<AsyncGenerator<RelationLimit>> {
    try {
      const within = covering(await this.list(span.timeline), span);
      const pagesInMapPage = (blockSize - pageHeaderBytes) * pagesInByte;
      const starts = within.map(({ start_lsn }) => start_lsn);
      const ends = within.map(({ end_lsn }) => end_lsn);
      const values = [pagesInMapPage, starts, ends, span.timeline];
      await this.connection.ask(listLimits, anything, { values, mostRows: 0 });
      const first = await this.fetch(this.patience.beginMs);
      return this.rest(first);
    } catch (error) {
      this.close();
      throw this.missing(error);
    }
  }

  private async *rest(first: RelationLimit[][]): AsyncGenerator<RelationLimit> {
    let count = 0;
    try {
      for (let rows = first; rows.length > 0; rows = await this.fetch(this.patience.answerMs)) {
        count += rows.length;
        if (count > mostLimits) throw said.violation(`it tells of more than ${mostLimits} relations that were cut`);
        for (const limits of rows) yield* limits;
      }
    } catch (error) {
      throw this.missing(error);
    } finally {
      this.close();
    }
  }

  /** As long as nobody asks for more, the connection may be silent. */
  private async fetch(withinMs: number): Promise<RelationLimit[][]> {
    const rows = await this.connection.ask(`fetch ${rowsAtOnce} from limits`, changed, {
      ...ofRows(rowsAtOnce, mostRowBytes),
      withinMs,
    });
    return rows.map(({ space, database, relation, main, fsm, vm, init }) =>
      [main, fsm, vm, init].flatMap((block, fork) =>
        block === null ? [] : [{ space, database, relation, fork, block }],
      ),
    );
  }

  private list(timeline: number): Promise<Summary[]> {
    return this.connection.ask(listSummaries, summary, {
      values: [timeline],
      ...ofRows(mostSummaries, mostRowBytes),
    });
  }

  /** A server that can't give its summaries can still give a full backup. A server that is gone can't. */
  private missing(error: unknown): unknown {
    const fault = this.connection.silenceFault;
    if (fault) return fault;
    if (error instanceof EngineFault && error.code === 'protocol-violation') {
      return notPossible({ ground: 'summaries-missing', reason: error.message }, error);
    }
    const code = sqlStateOf(error);
    if (code === undefined || /^(57P0|08)/.test(code)) return this.connection.faultOf(error);
    return notPossible(
      { ground: 'summaries-missing', reason: `The server's WAL summaries can't be read: ${saidBy(error)}` },
      error,
    );
  }
}

/**
 * Picks the summaries that lie within the span. One that reaches beyond it would tell of a cut before the parent began, and
 * what has grown since would be lost. The server's summaries begin and end where backups do: at the redo point of a checkpoint.
 * @throws {IncrementalNotPossible} `summaries-missing` unless they cover the span without a gap
 */
export function covering(summaries: readonly Summary[], { timeline, startLsn, endLsn }: Span): Summary[] {
  const within = summaries.filter(
    ({ start_lsn, end_lsn }) => compareLsn(start_lsn, startLsn) >= 0 && compareLsn(end_lsn, endLsn) <= 0,
  );
  let covered = startLsn;
  for (const { start_lsn, end_lsn } of within) {
    if (compareLsn(start_lsn, covered) > 0) break;
    if (compareLsn(end_lsn, covered) > 0) covered = end_lsn;
  }
  if (compareLsn(covered, endLsn) >= 0) return within;
  throw notPossible({
    ground: 'summaries-missing',
    reason: `The server's WAL summaries of timeline ${timeline} from ${startLsn} to ${endLsn} have a gap at ${covered}. The server makes them while summarize_wal is on, and keeps them for wal_summary_keep_time: that must be longer than the time between two backups.`,
  });
}

function ofRows(mostRows: number, mostRowBytes: number): AnswerLimits {
  return { mostRows, mostBytes: 65_536 + mostRows * mostRowBytes };
}

function isAway(error: unknown): error is EngineFault {
  return error instanceof EngineFault && (error.code === 'server-unreachable' || error.code === 'server-stalled');
}

function noConnection({ endpoint }: EngineTarget, error: unknown, tried: string | undefined): Ground {
  const { database, user } = endpoint;
  // The fault of a connection has the advice and what was tried.
  const said =
    error instanceof EngineFault ? [error.message] : [saidBy(error), ...(tried === undefined ? [] : [tried])];
  const grant =
    sqlStateOf(error) === notAllowed
      ? [`GRANT EXECUTE ON FUNCTION pg_available_wal_summaries, pg_wal_summary_contents TO "${user}" in that database.`]
      : [];
  return {
    ground: 'no-database-connection',
    reason: [
      `An ordinary connection to database "${database}" as "${user}" must tell which relations were cut since the backup before, and it failed.`,
      ...said,
      ...grant,
    ].join(' '),
  };
}
