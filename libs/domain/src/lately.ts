/**
 * What a schedule asked for lately. A schedule that shrinks lets go of nothing more until the delay is over: for so long,
 * retention goes by the most that the schedule has asked for within it.
 */
import type { DefinedSince } from './slots.js';

export interface AskedLately {
  /** The most cycles that were to be kept. */
  cycles: number;
  /** The regions that were owed a copy at a slot of that time, beside those that its backup names. */
  owedAt(slotAt: Date): string[];
  /** When the definitions of now alone count; undefined when they do already. */
  until: Date | undefined;
}

/**
 * @param spans the definitions of the schedule, in order; the last of them is in force
 * @param now the time
 * @param delayMs for how long a former definition still counts, in milliseconds
 */
export function askedLately(spans: readonly DefinedSince[], now: Date, delayMs: number): AskedLately {
  const former = spans.flatMap(({ since, definition }, index) => {
    const next = spans[index + 1];
    const endsAt = next && next.since.getTime() + delayMs;
    return delayMs > 0 && endsAt !== undefined && endsAt > now.getTime() ? [{ since, definition, endsAt }] : [];
  });
  const current = spans.at(-1)?.definition.fullBackupRetention ?? 1;
  const latest = Math.max(0, ...former.map(({ endsAt }) => endsAt));
  return {
    cycles: Math.max(current, ...former.map(({ definition }) => definition.fullBackupRetention)),
    owedAt: (slotAt) => former.filter(({ since }) => since < slotAt).flatMap(({ definition }) => definition.copyTo),
    until: latest > 0 ? new Date(latest) : undefined,
  };
}
