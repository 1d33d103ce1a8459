/**
 * Folds the events of accounts into the views, in transactions that are bounded however many accounts and events there are. In each, the
 * heads of its accounts are locked, their next events are read by one statement and folded in memory, and each view is written by one
 * statement.
 *
 * What can't be folded stops only itself. When a transaction of several accounts fails, the caller tries fewer of them. When that of one
 * account fails, each of its streams is folded apart. What an older version has passed over is folded anew, one account at a time.
 */
import { isKnownType, messageOf, type RecordedEvent } from '@strongroom/contracts';
import { isOutage, type Ledger, type NextOfAccount, type ReadEvents } from '@strongroom/ledger';
import { inTransaction, type SetAside, type ThingSetAside } from '@strongroom/runtime';
import type { DataSource, EntityManager } from 'typeorm';
import { foldAnewInto, foldInto, takeOutSome } from './fold-into.js';
import {
  firstHead,
  type Head,
  headAfter,
  headToBegin,
  isSameHead,
  isToBegin,
  keepHeads,
  lockHeads,
  makeHeads,
} from './view-head.js';

/** A process folds so many within the two seconds that its transaction may be silent, on a slow machine too. */
const limits = { events: 600, bytes: 4_000_000 };
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

/** What a transaction has done. It counts from the commit on. */
interface Folded {
  /** The accounts that had no more events than were folded. */
  done: readonly string[];
  /** How many events were read. */
  events: number;
  /** The accounts that have no head yet. */
  absent?: readonly string[];
  /** Those of which something is to be folded anew. */
  special?: readonly string[];
  /** What is still to be folded anew of the only account. */
  anew?: Anew;
}

type FoldAll = (manager: EntityManager, events: readonly RecordedEvent[]) => Promise<void>;

export class AccountFolds {
  private readonly anew = new Map<string, Anew>();
  private folded = 0;

  constructor(
    private readonly dataSource: DataSource,
    private readonly ledger: Ledger,
    private readonly setAside: SetAside,
  ) {}

  /** How many events this process has read to fold them. */
  get events(): number {
    return this.folded;
  }

  /** Folds the next events of accounts. @returns the accounts that are up to date now */
  async fold(accountIds: readonly string[]): Promise<Set<string>> {
    const [only, ...others] = accountIds;
    if (only !== undefined && others.length === 0) return this.foldAlone(only);
    const {
      done,
      events,
      absent = [],
      special = [],
    } = await inTransaction(this.dataSource, (manager) => this.foldTogether(manager, accountIds));
    this.folded += events;
    if (absent.length > 0) await makeHeads(this.dataSource, absent);
    const upToDate = new Set(done);
    for (const accountId of special) for (const each of await this.foldAlone(accountId)) upToDate.add(each);
    return upToDate;
  }

  /**
   * Replaces all rows of accounts by what their events give. At each time the rows are there, the former or the new ones.
   * @returns the accounts that are done
   */
  async renew(accountIds: readonly string[]): Promise<Set<string>> {
    const { done, events, absent = [], large } = await this.renewTogether(accountIds);
    this.folded += events;
    if (absent.length > 0) await makeHeads(this.dataSource, absent);
    const renewed = new Set(done);
    if (large !== undefined) renewed.add(await this.renewByStreams(large));
    return renewed;
  }

  /** Replaces the rows of a stream by what all of its events give. */
  async foldStreamAnew(accountId: string, stream: string): Promise<void> {
    await inTransaction(this.dataSource, async (manager) => {
      const { position } = (await lockHeads(manager, [accountId])).get(accountId) ?? firstHead;
      await this.foldAnew(manager, accountId, [{ stream }], position);
    });
  }

  private async foldAlone(accountId: string): Promise<Set<string>> {
    const { done, events, absent = [], anew } = await this.foldWholeOrApart(accountId);
    this.folded += events;
    if (anew) this.anew.set(accountId, anew);
    else this.anew.delete(accountId);
    if (absent.length > 0) await makeHeads(this.dataSource, absent);
    return new Set(done);
  }

  private async foldWholeOrApart(accountId: string): Promise<Folded> {
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

  private async foldTogether(manager: EntityManager, accountIds: readonly string[]): Promise<Folded> {
    const heads = await lockHeads(manager, accountIds);
    const special = [...heads].filter(([, head]) => isToBegin(head) || head.passedOver.some(isKnownType));
    for (const [accountId] of special) heads.delete(accountId);
    return {
      ...(await this.foldTails(manager, inOrderOf(accountIds, heads), foldInto)),
      absent: accountIds.filter((each) => !heads.has(each) && !special.some(([accountId]) => accountId === each)),
      special: special.map(([accountId]) => accountId),
    };
  }

  /** @returns beside what was done, the account whose history is too large for one transaction, or can't be folded in one */
  private async renewTogether(accountIds: readonly string[]): Promise<Folded & { large?: string | undefined }> {
    const [first] = accountIds;
    const renew = async (manager: EntityManager) => {
      const heads = await lockHeads(manager, accountIds);
      const fromBegin = new Map([...heads.keys()].map((accountId) => [accountId, firstHead]));
      const { done, cut, events } = await this.foldWhole(manager, inOrderOf(accountIds, fromBegin));
      const absent = accountIds.filter((each) => !heads.has(each));
      return { done, events, absent, large: cut === first ? cut : undefined };
    };
    try {
      return await inTransaction(this.dataSource, renew);
    } catch (error) {
      if (accountIds.length > 1 || isOutage(error)) throw error;
      return { done: [], events: 0, large: first };
    }
  }

  /** Folds accounts from their first events on, as far as their whole history is read. @returns the one whose history is not */
  private async foldWhole(
    manager: EntityManager,
    heads: ReadonlyMap<string, Head>,
  ): Promise<Folded & { cut: string | undefined }> {
    const read = [...(await this.nextOf(manager, heads))];
    const whole = read.filter(([, { isMore }]) => !isMore);
    const events = whole.flatMap(([, next]) => next.events);
    await foldAnewInto(manager, [...new Set(events.map(({ stream }) => stream))], events);
    return { ...(await this.keep(manager, heads, whole)), cut: read.find(([, { isMore }]) => isMore)?.[0] };
  }

  /** Goes over the streams of an account in the order in which they begin, some in each transaction. */
  private async renewByStreams(accountId: string): Promise<string> {
    for (let from: Head | undefined = firstHead; from; ) {
      const after: Head = from;
      from = await inTransaction(this.dataSource, async (manager) => {
        const { position: upTo } = (await lockHeads(manager, [accountId])).get(accountId) ?? firstHead;
        const read = { events: mostAnew, bytes: limits.bytes };
        const next = (await this.ledger.nextOfAccounts(manager, new Map([[accountId, after.position]]), read)).get(
          accountId,
        );
        const begun = next?.events.filter(({ version, position }) => version === 1 && position <= upTo) ?? [];
        await this.foldAnew(manager, accountId, begun, upTo);
        this.folded += begun.length;
        return next?.isMore && next.end !== undefined ? { ...firstHead, position: next.end } : undefined;
      });
    }
    return accountId;
  }

  private async foldNext(manager: EntityManager, accountId: string, foldAll: FoldAll): Promise<Folded> {
    let head = (await lockHeads(manager, [accountId])).get(accountId);
    if (!head) return { done: [], events: 0, absent: [accountId] };
    if (isToBegin(head)) {
      if (await takeOutSome(manager, accountId, mostTakenOut)) return { done: [], events: 0 };
      head = firstHead;
    }
    if (head.passedOver.some(isKnownType)) return this.makeWhole(manager, accountId, head);
    return this.foldTails(manager, new Map([[accountId, head]]), foldAll);
  }

  /** Folds the next events of accounts whose heads are locked. */
  private async foldTails(manager: EntityManager, heads: ReadonlyMap<string, Head>, foldAll: FoldAll): Promise<Folded> {
    const read = [...(await this.nextOf(manager, heads))];
    await foldAll(
      manager,
      read.flatMap(([, { events }]) => events),
    );
    return this.keep(manager, heads, read);
  }

  private nextOf(manager: EntityManager, heads: ReadonlyMap<string, Head>): Promise<Map<string, NextOfAccount>> {
    const after = new Map([...heads].map(([accountId, { position }]) => [accountId, position]));
    return this.ledger.nextOfAccounts(manager, after, limits);
  }

  /** Keeps how far accounts are when their next events are folded. */
  private async keep(
    manager: EntityManager,
    heads: ReadonlyMap<string, Head>,
    read: readonly (readonly [string, NextOfAccount])[],
  ): Promise<Folded> {
    const aside = read.flatMap(([accountId, next]) => toSetAside(accountId, next));
    await this.setAside.put('stream', aside, manager);
    const moved = read.flatMap(([accountId, next]) => {
      const head = heads.get(accountId) ?? firstHead;
      const after = headAfter(head, next);
      return isSameHead(head, after) ? [] : [[accountId, after] as const];
    });
    await keepHeads(manager, new Map(moved));
    return {
      done: read.filter(([, { isMore }]) => !isMore).map(([accountId]) => accountId),
      events: read.reduce((sum, [, next]) => sum + next.read, 0),
    };
  }

  /**
   * Folds some of the streams anew that hold what an older version has passed over and this one knows. Their rows are replaced in
   * one transaction, and all other rows stay as they are. The head tells that all is whole when the last of them is folded: until
   * then each process goes over them by itself.
   */
  private async makeWhole(manager: EntityManager, accountId: string, head: Head): Promise<Folded> {
    const isMore = { done: [], events: 0 };
    const keep = (kept: Head) => keepHeads(manager, new Map([[accountId, kept]]));
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
      await keep(kept);
      return { ...isMore, anew: { ...kept, after: end, hasFound: hasFound || streams.length > 0 } };
    }
    // What was passed over lies beyond the place up to which all is whole. If it does not, the place is not to be believed.
    if (!hasFound && streams.length === 0) {
      await keep(headToBegin(head));
      return isMore;
    }
    for (const each of known) passedOver.delete(each);
    const wholeUntil = passedOver.size === 0 ? head.position : head.wholeUntil;
    await keep({ ...head, passedOver: [...passedOver], wholeUntil });
    return isMore;
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
      manager.transaction((apart) => {
        const isOwn = new Set(own);
        return foldAnewInto(
          apart,
          own,
          read.events.filter(({ stream }) => isOwn.has(stream)),
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

/** What comes first in the list is read first. */
function inOrderOf(accountIds: readonly string[], heads: ReadonlyMap<string, Head>): Map<string, Head> {
  return new Map(
    accountIds.flatMap((accountId) => {
      const head = heads.get(accountId);
      return head ? [[accountId, head] as const] : [];
    }),
  );
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

/** Why a stream or an account is set aside. */
export function reasonOf(error: unknown): string {
  return `it can't be folded into the views: ${messageOf(error)}`;
}
