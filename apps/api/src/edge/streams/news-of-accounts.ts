/**
 * Tells the live streams which accounts have news. One look at the ledger serves all streams of the process, so an append of one
 * account costs the streams of the others nothing.
 */
import type { LedgerIdentity } from '@strongroom/feed';
import { isOutage, type Ledger } from '@strongroom/ledger';
import { type Logger, WorkLoop } from '@strongroom/runtime';

export interface NewsParts {
  ledger: Ledger;
  ledgerIdentity: LedgerIdentity;
  log: Logger;
  /** How often to look without a notice, which may be lost. */
  pollMs: number;
  /** Whether there is any stream. Without one, nobody looks. */
  isWatched(): boolean;
  /** @param accounts undefined when it is not known which: all have to look */
  wake(accounts: ReadonlySet<string> | undefined): void;
}

const eventsAtOnce = 5_000;

export class NewsOfAccounts {
  private readonly loop: WorkLoop;
  /** Up to where the ledger has been looked through, and its name at that time; undefined when nothing is known. */
  private known: { position: number; ledgerId: string } | undefined;
  private ending: (() => Promise<void>) | undefined;

  constructor(private readonly parts: NewsParts) {
    const { log, pollMs } = parts;
    this.loop = new WorkLoop({ name: 'news of accounts', intervalMs: pollMs, log, pass: () => this.pass() });
  }

  async start(): Promise<void> {
    this.ending = await this.parts.ledger.onAppend(() => this.look());
    this.loop.start();
  }

  /** Looks soon: a stream has begun, or events were appended. */
  look(): void {
    this.loop.wake();
  }

  async stop(): Promise<void> {
    await this.ending?.();
    await this.loop.stop();
  }

  private async pass(): Promise<void> {
    const { ledger, ledgerIdentity, log, isWatched, wake } = this.parts;
    if (!isWatched()) {
      this.known = undefined;
      return;
    }
    try {
      const ledgerId = await ledgerIdentity.current();
      if (this.known?.ledgerId !== ledgerId) {
        this.known = { position: await ledger.head(), ledgerId };
        wake(undefined);
      }
      for (let isMore = true; isMore; ) {
        const { position } = this.known;
        const found = await ledger.accountsAfter(position, eventsAtOnce);
        this.known = { position: found.position, ledgerId };
        if (found.accounts.size > 0) wake(found.accounts);
        isMore = found.isMore;
      }
    } catch (error) {
      this.known = undefined;
      if (!isOutage(error)) throw error;
      log.debug({ err: error }, 'the streams of events wait for the database');
    }
  }
}
