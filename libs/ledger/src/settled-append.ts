/**
 * Appends until it is known what became of it, as long as the caller can wait. When an answer was lost, the append is made again on
 * another connection: it has its effect then, or it meets its own events and recognises them. So a doubt is left only when the
 * database stays away.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { AppendOutcome } from './append-request.js';
import { isOutage, LedgerFault } from './ledger-fault.js';

export interface SettledAppend {
  /** One try. It throws a `LedgerFault` that says whether the events may be written. */
  write(): Promise<AppendOutcome[]>;
  /** Finds own events among the outcomes: a conflict may be with what an earlier try has written. */
  recogniseOwn(outcomes: AppendOutcome[]): Promise<AppendOutcome[]>;
}

/** How often an append is tried that certainly was not written: whoever waits is told soon. */
const tries = 4;
/** After this time no other try begins. A client waits no longer, and the whole queue of appends would wait as long once more. */
const worthAnotherTryMs = 5_000;
const longestPauseMs = 1_350;

/** @throws {LedgerFault} when the database stayed away. It says whether one of the tries may have written the events. */
export async function settled({ write, recogniseOwn }: SettledAppend): Promise<AppendOutcome[]> {
  const begun = performance.now();
  let mayBeWritten = false;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const outcomes = await write();
      return mayBeWritten ? await recogniseOwn(outcomes) : outcomes;
    } catch (error) {
      if (!isOutage(error)) throw error;
      mayBeWritten ||= error instanceof LedgerFault && error.mayBeWritten;
      const isOver = performance.now() - begun > worthAnotherTryMs || (attempt >= tries && !mayBeWritten);
      if (isOver) throw new LedgerFault(error instanceof LedgerFault ? error.cause : error, mayBeWritten);
      await delay(Math.min(50 * 3 ** attempt, longestPauseMs));
    }
  }
}
