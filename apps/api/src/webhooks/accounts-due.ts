/**
 * Which accounts are to be looked at, because one of their webhooks may have something to get: something was appended to the account, the
 * time has come for which a webhook waited, or one of its webhooks has just had its turn. So webhooks that have nothing to get cost
 * nothing. Now and then all of them are looked at, for what a lost notice or a lost process has left.
 */
import type { Ledger } from '@strongroom/ledger';
import type { WebhookCursors } from './cursors.js';

export interface LookTimings {
  /** What was appended is asked for so often at most, while something is. */
  lookMs: number;
  /** So often all webhooks are looked at. */
  wholeMs: number;
}

export interface AccountsDueParts {
  ledger: Pick<Ledger, 'head' | 'accountsOfTail'>;
  cursors: Pick<WebhookCursors, 'accountsBehind' | 'areThere' | 'dueOf'>;
  timings: LookTimings;
}

/** How many events are looked at for their accounts. Who is further behind looks at all webhooks, which costs less. */
const mostEvents = 1_000;
/** How many accounts are kept in mind. The others are found by a look at all webhooks. */
const mostAccounts = 1_000;

export class AccountsDue {
  private readonly accounts = new Set<string>();
  /** Up to where the ledger was looked at. */
  private position = 0;
  private hasNews = false;
  private readAt = Number.NEGATIVE_INFINITY;
  private wholeAt = Number.NEGATIVE_INFINITY;
  /** Whether there may be accounts beside those that are kept in mind. */
  private isMore = false;
  /** Whether any webhook is delivered to, in the whole deployment. */
  private areThere = true;
  /** The time of the database up to which it is known what waits for a time, and when the next of that is due. */
  private timesAt: string | undefined;
  private nextAt = Number.POSITIVE_INFINITY;
  private haveTimesChanged = true;

  constructor(private readonly parts: AccountsDueParts) {}

  /** Something was appended. @returns whether that is news */
  appended(): boolean {
    const isNews = this.areThere && !this.hasNews;
    this.hasNews = true;
    return isNews;
  }

  /** A webhook of the account has begun, or may be taken again, now or later. */
  changed(accountId: string): void {
    this.areThere = true;
    this.haveTimesChanged = true;
    this.keep([accountId]);
  }

  /** Finds what is due since the last time. @returns when there may be more, in milliseconds */
  async find(): Promise<number> {
    try {
      if (this.isWholeDue()) await this.findAll();
      else await this.findNew();
    } catch (error) {
      // What was appended meanwhile would be passed over.
      this.wholeAt = Number.NEGATIVE_INFINITY;
      throw error;
    }
    const { lookMs, wholeMs } = this.parts.timings;
    const now = performance.now();
    const wholeIn = this.wholeAt + wholeMs - now;
    if (!this.areThere) return wholeIn;
    return Math.max(0, Math.min(wholeIn, this.nextAt - now, this.hasNews ? this.readAt + lookMs - now : wholeIn));
  }

  /** Gives the accounts that have waited for the longest to be looked at, and forgets them. */
  take(most: number): string[] {
    const taken: string[] = [];
    for (const account of this.accounts) {
      if (taken.length >= most) break;
      taken.push(account);
      this.accounts.delete(account);
    }
    return taken;
  }

  /** Whether there are accounts to be looked at. */
  get hasSome(): boolean {
    return this.accounts.size > 0;
  }

  /** There was no room for all of what they have. They come after the others. */
  putBack(accounts: readonly string[]): void {
    this.keep(accounts);
  }

  private isWholeDue(): boolean {
    const now = performance.now();
    return now - this.wholeAt >= this.parts.timings.wholeMs || (this.isMore && this.accounts.size === 0);
  }

  private async findAll(): Promise<void> {
    const { ledger, cursors } = this.parts;
    this.hasNews = false;
    // It is read first: what is appended meanwhile is found by the next look.
    const position = await ledger.head();
    const behind = await cursors.accountsBehind(mostAccounts);
    this.areThere = behind.length > 0 || (await cursors.areThere());
    this.isMore = false;
    this.keep(behind);
    this.isMore ||= behind.length === mostAccounts;
    this.position = position;
    this.wholeAt = performance.now();
    this.readAt = this.wholeAt;
    await this.findTimes([]);
  }

  private async findNew(): Promise<void> {
    const { ledger, timings } = this.parts;
    if (!this.areThere) return;
    const now = performance.now();
    const isToRead = this.hasNews && now - this.readAt >= timings.lookMs;
    if (!isToRead && !this.haveTimesChanged && now < this.nextAt) return;
    let appended: string[] = [];
    if (isToRead) {
      this.readAt = now;
      this.hasNews = false;
      const { accounts, end, isMore } = await ledger.accountsOfTail(this.position, mostEvents);
      if (isMore) return this.findAll();
      this.position = end;
      appended = accounts;
    }
    await this.findTimes(appended);
  }

  /** @param appended accounts of which those matter that have webhooks */
  private async findTimes(appended: readonly string[]): Promise<void> {
    this.haveTimesChanged = false;
    const { accounts, at, nextInMs } = await this.parts.cursors.dueOf(appended, this.timesAt, mostAccounts);
    this.keep(accounts);
    this.isMore ||= accounts.length === mostAccounts;
    this.timesAt = at;
    this.nextAt = nextInMs === null ? Number.POSITIVE_INFINITY : performance.now() + nextInMs;
  }

  private keep(accounts: readonly string[]): void {
    for (const account of accounts) {
      if (this.accounts.size < mostAccounts) this.accounts.add(account);
      else if (!this.accounts.has(account)) this.isMore = true;
    }
  }
}
