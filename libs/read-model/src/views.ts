/**
 * Folds the ledger into the views. The events of an account are folded in the order of the ledger, under the lock of the
 * account's row in `view_head`.
 *
 * The projection folds when the feed brings an event, and a reader folds what is missing before it reads. Both do the same,
 * so a read reflects every append before it, and a repetition changes nothing.
 *
 * An older version skips events of which only a newer version knows the type, or a value in them, and notes which. A version
 * that knows them folds the streams anew that were passed over since the views were whole, and no others
 * ([decision 48](../../../docs/decisions/0048-streams-are-folded-anew.md)).
 *
 * An event that no version can read, or a stream that can't be folded, is set aside. All other streams go on.
 */
import { isKnownType, messageOf, type RecordedEvent } from '@strongroom/contracts';
import { isOutage, isOutageForAll, type Ledger, type ReadEvents } from '@strongroom/ledger';
import { inTransaction, type Logger, SetAside, SharedRuns, type ThingSetAside } from '@strongroom/runtime';
import type { DataSource, EntityManager } from 'typeorm';
import { z } from 'zod';
import { foldInto, takeOut, takeOutSome, viewTables } from './fold-into.js';
import { firstHead, type Head, headToBegin, isToBegin, keepHead, lockHead, wholeAfter } from './view-head.js';
import { isUpToDate, type ViewState } from './view-state.js';

/** A process folds so many within the two seconds that its transaction may be silent, on a slow machine too. */
const batchSize = 250;
/** A step that takes longer has perhaps lost its connection. The database ends its transaction after this time. */
const longestStepMs = 2_000;
/** How many streams are folded anew in one transaction, and how many events are looked at to find them. */
const mostAnew = 100;
const mostLookedAt = 2_000;
/** How many rows of a view are taken out in one transaction. */
const mostTakenOut = 1_000;

/** How far this process is with what an older version has passed over in an account. It counts for the head that it was found at. */
interface Anew extends Head {
  after: number;
  hasFound: boolean;
}

interface Step {
  isMore: boolean;
  /** What is still to be folded anew. */
  anew?: Anew;
}

const states = z.array(z.object({ behind: z.boolean(), passed_over: z.array(z.string()) })).length(1);
const behindRows = z.array(z.object({ accountId: z.string() }));

export class Views {
  /** A process takes the lock of an account's head once at a time, so that it keeps others out only once when it freezes. */
  private readonly folding = new SharedRuns<boolean>(longestStepMs);
  private readonly anew = new Map<string, Anew>();

  constructor(
    private readonly dataSource: DataSource,
    private readonly ledger: Ledger,
    private readonly setAside: SetAside = new SetAside(dataSource),
  ) {}

  /** Returns when the account's views reflect every event appended before the call. */
  async catchUp(accountId: string): Promise<void> {
    const rows: unknown = await this.dataSource.query(
      `select ledger_newest_of($1) > coalesce((select position from view_head where account_id = $1), 0) as behind,
         coalesce((select passed_over from view_head where account_id = $1), '{}') as passed_over`,
      [accountId],
    );
    const [state] = states.parse(rows);
    if (!state?.behind && !state?.passed_over.some(isKnownType)) return;
    while (await this.folding.share(accountId, () => this.step(accountId)));
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
    for (const accountId of new Set(accountIds)) {
      try {
        await this.catchUp(accountId);
      } catch (error) {
        if (isOutageForAll(error)) throw error;
        log.error(
          { err: error, accountId },
          `the views of account ${accountId} can't be folded: they stay as they are`,
        );
        await this.setAside.put('account', [{ id: accountId, accountId, reason: reasonOf(error) }]);
      }
    }
  }

  /** Those of the accounts whose views do not reflect every event yet. */
  async behind(accountIds: readonly string[]): Promise<Set<string>> {
    const rows: unknown = await this.dataSource.query(
      `select asked.id as "accountId" from unnest($1::text[]) as asked(id)
       left join view_head h on h.account_id = asked.id where ledger_newest_of(asked.id) > coalesce(h.position, 0)`,
      [[...new Set(accountIds)]],
    );
    return new Set(behindRows.parse(rows).map(({ accountId }) => accountId));
  }

  /** Drops every row and folds the whole ledger again. The views are the same after it. */
  async rebuild(): Promise<void> {
    await this.dataSource.transaction(async (manager) => {
      // The lock keeps projections and readers out until the empty views are committed.
      await manager.query('lock table view_head in access exclusive mode');
      for (const table of viewTables) await manager.clear(table);
      await manager.query('delete from view_head');
    });
    for (const accountId of await this.ledger.accounts()) await this.catchUp(accountId);
  }

  /** Tries the streams again that are set aside, some at a time. Those that can be folded now are whole again. */
  async retrySetAside(limit = mostAnew): Promise<void> {
    for (const { id: stream, accountId } of await this.setAside.longestUntried('stream', limit)) {
      if (accountId === null) continue;
      const anew = async (manager: EntityManager) => {
        const { position } = await lockHead(manager, accountId);
        await this.foldAnew(manager, accountId, [{ stream }], position);
      };
      try {
        await this.folding.alone(accountId, () => inTransaction(this.dataSource, anew));
      } catch (error) {
        if (isOutageForAll(error)) throw error;
        // It was tried, and goes behind the others.
        await this.setAside.put('stream', [{ id: stream, accountId, reason: reasonOf(error) }]);
      }
    }
  }

  /** Tries the accounts again that are set aside, some at a time. */
  async retryAccountsSetAside(log: Logger, limit = mostAnew): Promise<void> {
    const aside = (await this.setAside.longestUntried('account', limit)).map(({ id }) => id);
    await this.catchUpEach(aside, log);
    const behind = await this.behind(aside);
    await this.setAside.takeBack(
      'account',
      aside.filter((id) => !behind.has(id)),
    );
  }

  /** Folds the account's next events. @returns whether there may be more */
  private async step(accountId: string): Promise<boolean> {
    const { isMore, anew } = await this.foldTogetherOrApart(accountId);
    // It counts from the commit on.
    if (anew) this.anew.set(accountId, anew);
    else this.anew.delete(accountId);
    return isMore;
  }

  private async foldTogetherOrApart(accountId: string): Promise<Step> {
    try {
      return await inTransaction(this.dataSource, (manager) => this.foldNext(manager, accountId, foldInto));
    } catch (error) {
      if (isOutage(error)) throw error;
    }
    // One stream has made the transaction of all fail. Each is folded apart, to find that one.
    const apart = (manager: EntityManager, events: readonly RecordedEvent[]) =>
      this.foldApart(manager, accountId, events);
    return inTransaction(this.dataSource, (manager) => this.foldNext(manager, accountId, apart));
  }

  private async foldNext(
    manager: EntityManager,
    accountId: string,
    foldAll: (manager: EntityManager, events: readonly RecordedEvent[]) => Promise<void>,
  ): Promise<Step> {
    let head = await lockHead(manager, accountId);
    if (isToBegin(head)) {
      if (await takeOutSome(manager, accountId, mostTakenOut)) return { isMore: true };
      head = firstHead;
    }
    if (head.passedOver.some(isKnownType)) return this.makeWhole(manager, accountId, head);
    const tail = await this.ledger.tailOfAccount(manager, accountId, head.position, batchSize);
    await foldAll(manager, tail.events);
    await this.setAside.put('stream', toSetAside(accountId, tail), manager);
    const position = tail.end ?? head.position;
    const passedOver = [...new Set([...head.passedOver, ...tail.newer.map(({ newerType }) => newerType)])];
    const wholeUntil = wholeAfter(head, tail, position);
    await keepHead(manager, accountId, { position, passedOver, wholeUntil });
    return { isMore: tail.read === batchSize };
  }

  /**
   * Folds some of the streams anew that hold what an older version has passed over and this one knows. Their rows are replaced in
   * one transaction, and all other rows stay as they are. The head tells that all is whole when the last of them is folded: until
   * then each process goes over them by itself.
   */
  private async makeWhole(manager: EntityManager, accountId: string, head: Head): Promise<Step> {
    const known = head.passedOver.filter(isKnownType);
    const before = this.anew.get(accountId);
    const { after, hasFound } = before && isOf(before, head) ? before : { after: head.wholeUntil, hasFound: false };
    const range = { after, upTo: head.position, limit: mostLookedAt };
    const looked = await this.ledger.placesOf(manager, accountId, known, range);
    const { streams, end } = firstStreams(looked);
    const passedOver = new Set(head.passedOver);
    for (const each of await this.foldAnew(manager, accountId, streams, head.position)) passedOver.add(each);
    if (end !== undefined) {
      const kept = { ...head, passedOver: [...passedOver] };
      await keepHead(manager, accountId, kept);
      return { isMore: true, anew: { ...kept, after: end, hasFound: hasFound || streams.length > 0 } };
    }
    // What was passed over lies beyond the place up to which all is whole. If it does not, the place is not to be believed.
    if (!hasFound && streams.length === 0) {
      await keepHead(manager, accountId, headToBegin(head));
      return { isMore: true };
    }
    for (const each of known) passedOver.delete(each);
    const wholeUntil = passedOver.size === 0 ? head.position : head.wholeUntil;
    await keepHead(manager, accountId, { ...head, passedOver: [...passedOver], wholeUntil });
    return { isMore: true };
  }

  /**
   * Replaces the rows of streams by what their events up to a position give. A stream that can't be folded is set aside, and
   * its rows stay. @returns the newer types that were passed over in them
   */
  private async foldAnew(
    manager: EntityManager,
    accountId: string,
    found: readonly { stream: string }[],
    upTo: number,
  ): Promise<string[]> {
    if (found.length === 0) return [];
    const streams = found.map(({ stream }) => stream);
    const read = await this.ledger.readSome(manager, streams, upTo);
    const aside = toSetAside(accountId, read);
    const replace = (own: readonly string[]) =>
      manager.transaction(async (apart) => {
        await takeOut(apart, own);
        await foldInto(
          apart,
          read.events.filter(({ stream }) => own.includes(stream)),
        );
      });
    await eachApart(streams, replace, (id, error) => aside.push({ id, accountId, reason: reasonOf(error) }));
    const bad = new Set(aside.map(({ id }) => id));
    await this.setAside.put('stream', aside, manager);
    const good = streams.filter((stream) => !bad.has(stream));
    await this.setAside.takeBack('stream', good, manager);
    return read.newer.map(({ newerType }) => newerType);
  }

  /** Folds the events of each stream by itself. A stream that can't be folded keeps the rows that it has, and is set aside. */
  private async foldApart(manager: EntityManager, accountId: string, events: readonly RecordedEvent[]): Promise<void> {
    const aside: ThingSetAside[] = [];
    for (const stream of new Set(events.map((event) => event.stream))) {
      const own = events.filter((event) => event.stream === stream);
      const fold = () => manager.transaction((apart) => foldInto(apart, own));
      await eachApart([stream], fold, (id, error) => aside.push({ id, accountId, reason: reasonOf(error) }));
    }
    await this.setAside.put('stream', aside, manager);
  }
}

/** What an older version passes over beside this one lies beyond the place where this one is. A head that was set back is another. */
function isOf(before: Anew, head: Head): boolean {
  const isKnown = new Set(before.passedOver);
  return (
    before.wholeUntil === head.wholeUntil &&
    before.position <= head.position &&
    head.passedOver.every((each) => isKnown.has(each) || !isKnownType(each))
  );
}

/** As many of the streams as are folded anew at once, and the position up to which those are all; undefined when there are no more. */
function firstStreams({ found, end }: Awaited<ReturnType<Ledger['placesOf']>>): {
  streams: { stream: string }[];
  end: number | undefined;
} {
  const streams = new Set<string>();
  for (const { stream, position } of found) {
    if (streams.size === mostAnew && !streams.has(stream)) {
      return { streams: [...streams].map((each) => ({ stream: each })), end: position - 1 };
    }
    streams.add(stream);
  }
  return { streams: [...streams].map((each) => ({ stream: each })), end };
}

/** Does the work for all streams at once; and for each by itself, when that fails, to find those that fail. */
async function eachApart(
  streams: readonly string[],
  work: (streams: readonly string[]) => Promise<void>,
  onFailure: (stream: string, error: unknown) => void,
): Promise<void> {
  try {
    return await work(streams);
  } catch (error) {
    if (isOutage(error)) throw error;
    const [only, ...more] = streams;
    if (only !== undefined && more.length === 0) return onFailure(only, error);
  }
  for (const stream of streams) await eachApart([stream], work, onFailure);
}

function toSetAside(accountId: string, { unreadable }: ReadEvents): ThingSetAside[] {
  const last = new Map(unreadable.map(({ stream, reason }) => [stream, reason]));
  return [...last].map(([id, reason]) => ({ id, accountId, reason }));
}

function reasonOf(error: unknown): string {
  return `it can't be folded into the views: ${messageOf(error)}`;
}
