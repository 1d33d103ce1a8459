/**
 * Folds the ledger into the views. The events of an account are folded in the order of the ledger, under the lock of the
 * account's row in `view_head`.
 *
 * The projection folds when the feed brings an event, and a reader folds what is missing before it reads. Both do the same,
 * so a read reflects every append before it, and a repetition changes nothing. Within a process they share looks and transactions:
 * whoever asks for an account that is just being folded waits for the fold that begins next, together with all others who ask.
 *
 * An older version skips events of which only a newer version knows the type, or a value in them, and notes which. A version
 * that knows them folds the streams anew that were passed over since the views were whole, and no others
 * ([decision 48](../../../docs/decisions/0048-streams-are-folded-anew.md)).
 *
 * An event that no version can read, or a stream that can't be folded, is set aside. All other streams go on.
 */
import { isOutageForAll, type Ledger } from '@strongroom/ledger';
import { type BatchWork, type Logger, SetAside, SharedBatches } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { AccountFolds, reasonOf } from './account-folds.js';
import { sweepRows } from './fold-into.js';
import { makeHeads } from './view-head.js';
import { isUpToDate, statesOf, type ViewState } from './view-state.js';

/** Work that takes longer has perhaps lost its connection. The database ends its transaction after this time. */
const longestMs = 2_000;
/** How many accounts are looked at by one statement, or folded in one transaction. */
const mostAccounts = 500;
/** How many accounts have their heads locked while rows are made anew. Most have so many events that a transaction does a part of them. */
const mostRenewed = 100;
/** While the database writes what one transaction has folded and reads for another one, the process folds what a third one has read. */
const foldingLanes = 3;
/** How many of what is set aside are tried again in one pass. */
const mostTried = 100;

/** How far a rebuild is. */
export interface RebuildProgress {
  /** How many accounts are folded. */
  accounts: number;
  /** How many events this process has folded. A reader may have folded others. */
  events: number;
  /** The position of the newest event of the ledger when the rebuild began. */
  newest: number;
}

export class Views {
  private readonly folds: AccountFolds;
  private readonly looks: SharedBatches<ViewState>;
  private readonly folding: SharedBatches<void>;

  constructor(
    private readonly dataSource: DataSource,
    private readonly ledger: Ledger,
    private readonly setAside: SetAside = new SetAside(dataSource),
  ) {
    this.folds = new AccountFolds(dataSource, ledger, setAside);
    this.looks = this.batches(1, (ids) => statesOf(dataSource.manager, ids));
    this.folding = this.batches(foldingLanes, async (ids) => doneOf(await this.folds.fold(ids)));
  }

  /** Returns when the account's views reflect every event appended before the call. */
  async catchUp(accountId: string): Promise<void> {
    if (!isUpToDate(await this.looks.ask(accountId))) await this.folding.ask(accountId);
  }

  /**
   * Reads with a statement that tells the state of the account's views too, and reads again when they had to be folded.
   * @returns what reflects every event appended before the call
   */
  async readUpToDate<Found>(
    accountId: string,
    read: () => Promise<{ state: ViewState; found: Found }>,
  ): Promise<Found> {
    const first = await read();
    if (isUpToDate(first.state)) return first.found;
    await this.catchUp(accountId);
    return (await read()).found;
  }

  /**
   * As `catchUp`, for each account once. An account whose views can't be folded is set aside, and holds up no other.
   * @throws an outage that every account would meet
   */
  async catchUpEach(accountIds: Iterable<string>, log: Logger): Promise<void> {
    // There is news of most of them, so nothing is looked at before.
    const fold = (accountId: string) => this.folding.ask(accountId);
    await this.each(accountIds, fold, (accountId, error) =>
      log.error({ err: error, accountId }, `the views of account ${accountId} can't be folded: they stay as they are`),
    );
  }

  /** Those of the accounts whose views do not reflect every event yet. */
  async behind(accountIds: readonly string[]): Promise<Set<string>> {
    const states = await statesOf(this.dataSource.manager, [...new Set(accountIds)]);
    return new Set([...states].filter(([, { isBehind }]) => isBehind).map(([accountId]) => accountId));
  }

  /**
   * Makes every row anew from the events of its stream. The views are the same after it. Nobody sees an account without its rows meanwhile:
   * they are replaced some streams at a time, each with all of its events. An account whose views can't be made anew is set aside.
   *
   * The accounts are gone over one after the other, and not the ledger in its order: so each row is written once.
   */
  async rebuild(onProgress: (progress: RebuildProgress) => void = () => {}): Promise<void> {
    const newest = await this.ledger.head();
    const before = this.folds.events;
    const renewing = this.batches(foldingLanes, async (ids) => doneOf(await this.folds.renew(ids)), mostRenewed);
    let accounts = 0;
    let last: string | undefined;
    let turn: Promise<string[]> = Promise.resolve([]);
    let isOver = false;
    const next = () => {
      turn = turn.then(async () => (isOver ? [] : this.ledger.accountsBeyond(last, mostAccounts)));
      return turn.then((page) => {
        last = page.at(-1) ?? last;
        return page;
      });
    };
    const walk = async () => {
      try {
        for (let page = await next(); page.length > 0; page = await next()) {
          await makeHeads(this.dataSource, page);
          await this.each(page, (accountId) => renewing.ask(accountId));
          accounts += page.length;
          onProgress({ accounts, events: this.folds.events - before, newest });
        }
      } finally {
        isOver = true;
      }
    };
    // Two go from page to page, so that the lanes have work while one of them ends its page.
    await Promise.all([walk(), walk()]);
    await sweepRows(this.dataSource.manager);
  }

  /** Tries the streams again that are set aside, some at a time. Those that can be folded now are whole again. */
  async retrySetAside(limit = mostTried): Promise<void> {
    for (const { id: stream, accountId } of await this.setAside.longestUntried('stream', limit)) {
      if (accountId === null) continue;
      try {
        await this.folds.foldStreamAnew(accountId, stream);
      } catch (error) {
        if (isOutageForAll(error)) throw error;
        // It was tried, and goes behind the others.
        await this.setAside.put('stream', [{ id: stream, accountId, reason: reasonOf(error) }]);
      }
    }
  }

  /** Tries the accounts again that are set aside, some at a time. */
  async retryAccountsSetAside(log: Logger, limit = mostTried): Promise<void> {
    const aside = (await this.setAside.longestUntried('account', limit)).map(({ id }) => id);
    await this.catchUpEach(aside, log);
    const behind = await this.behind(aside);
    await this.setAside.takeBack(
      'account',
      aside.filter((id) => !behind.has(id)),
    );
  }

  /** An account that fails is set aside, and holds up no other. @throws an outage that every account would meet */
  private async each(
    accountIds: Iterable<string>,
    work: (accountId: string) => Promise<void>,
    onFailure: (accountId: string, error: unknown) => void = () => {},
  ): Promise<void> {
    const outages: unknown[] = [];
    const one = async (accountId: string) => {
      try {
        await work(accountId);
      } catch (error) {
        if (isOutageForAll(error)) return outages.push(error);
        onFailure(accountId, error);
        await this.setAside.put('account', [{ id: accountId, accountId, reason: reasonOf(error) }]);
      }
    };
    await Promise.all([...new Set(accountIds)].map(one));
    if (outages.length > 0) throw outages[0];
  }

  private batches<Result>(
    lanes: number,
    work: BatchWork<Result>['work'],
    mostKeys = mostAccounts,
  ): SharedBatches<Result> {
    return new SharedBatches({ mostKeys, longestMs, isForAll: isOutageForAll, lanes, work });
  }
}

function doneOf(accountIds: ReadonlySet<string>): Map<string, void> {
  return new Map([...accountIds].map((accountId) => [accountId, undefined]));
}
