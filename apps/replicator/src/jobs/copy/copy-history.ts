/** What the events of a copy say of the attempts at it: what asked for them, and how many have failed since. */
import type { EventData, RecordedEvent } from '@strongroom/contracts';
import { isOutageOfVault } from '@strongroom/vault';
import { type AncestorFound, parentNotCopied } from './ancestor.js';

/** Whether the newest event tells already that the copy waits for a parent that was given up. */
export function isTold(ancestor: AncestorFound, history: readonly RecordedEvent[]): boolean {
  const last = history.at(-1);
  return (
    typeof ancestor === 'object' &&
    ancestor.is === 'given-up' &&
    last?.type === 'CopyAttemptFailed' &&
    last.data.code === ancestor.code
  );
}

/** Whether the newest event tells of an outage of a region. */
export function isOutageTold(history: readonly RecordedEvent[]): boolean {
  const last = history.at(-1);
  return last?.type === 'CopyAttemptFailed' && isOutageOfVault(last.data.code);
}

const asking = ['CopyRequested', 'CopyLost', 'CopyCatalogued'] as const;

/** Whether what becomes of the copy follows from the event: it was asked for, its region has lost it, or it was found there. */
export function isAsking(event: RecordedEvent): event is RecordedEvent<(typeof asking)[number]> {
  return asking.some((type) => type === event.type);
}

/** Whether the region had the backup before, and has lost it. Where the backup was made it lies without a copy, until it is lost. */
export function isHealing(
  history: readonly RecordedEvent[],
  region: string,
  { region: madeIn }: Pick<EventData<'BackupCompleted'>, 'region'>,
): boolean {
  return region === madeIn || history.findLast(isAsking)?.type === 'CopyLost';
}

/** How many attempts have failed since the copy was asked for, as far as they count. */
export function attemptsInVain(history: readonly RecordedEvent[]): number {
  const asked = history.findLastIndex(isAsking);
  return history.slice(asked).filter((event) => event.type === 'CopyAttemptFailed' && countsInVain(event.data.code))
    .length;
}

/** A region's outage does not count, since it passes by itself. Nor does a parent that was not copied. */
export function countsInVain(code: string): boolean {
  return !isOutageOfVault(code) && code !== parentNotCopied;
}
