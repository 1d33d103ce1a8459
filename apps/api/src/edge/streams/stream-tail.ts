/**
 * The one reader that follows the ledger for all live streams of a process. It reads each new item once, and gives it to the streams of
 * its account. A stream that hears it from some moment on, and reads what is older after that moment, misses nothing.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { LedgerIdentity } from '@strongroom/feed';
import { isOutage, type Ledger, type LedgerItem, type LedgerPlace } from '@strongroom/ledger';
import { type Logger, WorkLoop } from '@strongroom/runtime';

export interface Hearer {
  /** The next items of its account, in order. All streams of the account get the same list. */
  take(items: readonly LedgerItem[]): void;
  /** Something may lie between what was given and what will be. */
  fallBehind(): void;
  /** The database may be back. */
  wake(): void;
}

export interface TailParts {
  ledger: Ledger;
  ledgerIdentity: LedgerIdentity;
  log: Logger;
  /** How often to look without a notice, which may be lost. Refusals are no events, so nothing tells of them. */
  pollMs: number;
  longestRestMs?: number | undefined;
  /** The streams of each account. Without any, nobody looks. */
  hearers: ReadonlyMap<string, ReadonlySet<Hearer>>;
}

const mostAtOnce = 1_000;
/** A pass is followed by a rest of so many times its length: what many streams cost is taken from their pace, and not from appends. */
const restShare = 9;
const usualLongestRestMs = 1_000;

export class StreamTail {
  private readonly loop: WorkLoop;
  /** Up to where all streams were given what is new, and the ledger's name at that time; undefined when nobody follows. */
  private known: { place: LedgerPlace; ledgerId: string } | undefined;
  private hasFailed = false;
  private ending: (() => Promise<void>) | undefined;

  constructor(private readonly parts: TailParts) {
    const { log, pollMs } = parts;
    const pass = (signal: AbortSignal) => this.pass(signal);
    this.loop = new WorkLoop({ name: 'tail of the live streams', intervalMs: pollMs, log, pass });
  }

  async start(): Promise<void> {
    this.ending = await this.parts.ledger.onAppend(() => this.look());
    this.loop.start();
  }

  /** Looks soon: a stream has begun, or something was appended. */
  look(): void {
    this.loop.wake();
  }

  async stop(): Promise<void> {
    await this.ending?.();
    await this.loop.stop();
  }

  /** Whether the streams are given whatever is appended from now on. */
  get isFollowing(): boolean {
    return this.known !== undefined;
  }

  private async pass(signal: AbortSignal): Promise<void> {
    if (this.parts.hearers.size === 0) {
      this.known = undefined;
      return;
    }
    const begun = performance.now();
    try {
      while (!signal.aborted && (await this.giveSome()));
    } catch (error) {
      this.hasFailed = true;
      if (isOutage(error)) return this.parts.log.debug({ err: error }, 'the live streams wait for the database');
      // Each stream looks for itself until this works again.
      if (this.known) this.each((hearer) => hearer.fallBehind());
      this.known = undefined;
      throw error;
    }
    // The streams have written when this comes back.
    await new Promise(setImmediate);
    const { longestRestMs = usualLongestRestMs } = this.parts;
    const restMs = Math.min(longestRestMs, (performance.now() - begun) * restShare);
    await delay(restMs, undefined, { signal }).catch(() => {});
  }

  /** @returns whether there may be more at once */
  private async giveSome(): Promise<boolean> {
    const { ledger, ledgerIdentity, hearers } = this.parts;
    // It is asked before each read: positions that were given anew mean something else than before.
    const ledgerId = await ledgerIdentity.current();
    if (this.known?.ledgerId !== ledgerId) {
      this.known = { place: await ledger.end(), ledgerId };
      this.each((hearer) => hearer.fallBehind());
    }
    const accounts = new Set(hearers.keys());
    const { items, end, isMore } = await ledger.tailOfAccounts([...accounts], this.known.place, mostAtOnce);
    this.known = { place: end, ledgerId };
    if (this.hasFailed) this.each((hearer) => hearer.wake());
    this.hasFailed = false;
    const news = byAccount(items);
    for (const [accountId, streams] of hearers) {
      const own = news.get(accountId);
      // The first stream of an account may have begun while this read, which did not ask for the account.
      if (!accounts.has(accountId)) for (const stream of streams) stream.fallBehind();
      else if (own) for (const stream of streams) stream.take(own);
    }
    return isMore;
  }

  private each(tell: (hearer: Hearer) => void): void {
    for (const streams of this.parts.hearers.values()) for (const stream of streams) tell(stream);
  }
}

function byAccount(items: readonly LedgerItem[]): Map<string, LedgerItem[]> {
  const found = new Map<string, LedgerItem[]>();
  for (const item of items) {
    const accountId = 'event' in item ? item.event.accountId : item.recorded.accountId;
    if (accountId === null) continue;
    const before = found.get(accountId);
    if (before) before.push(item);
    else found.set(accountId, [item]);
  }
  return found;
}
