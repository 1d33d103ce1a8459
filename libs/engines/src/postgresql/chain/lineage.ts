/**
 * Tells by their manifests whether a backup holds a later state of what an earlier one holds. It does when it is of the same
 * system and not from before the earlier backup's end. Its timeline is the same one, or one that branched off after that end.
 */
import type { VaultManifest } from '@strongroom/contracts';
import { compareLsn, isLsn } from '../lsn.js';

type Facts = VaultManifest['engine'];

/** A timeline that was left, and where. */
export interface LeftTimeline {
  timeline: number;
  switchLsn: string;
}

/** The timelines as a fact of a backup: `1:0/5000000 2:0/7000000`, the oldest first. Empty on timeline 1. */
export function historyText(left: readonly LeftTimeline[]): string {
  return left.map(({ timeline, switchLsn }) => `${timeline}:${switchLsn}`).join(' ');
}

/** Undefined where the history is not known or not readable. */
export function parseHistory(text: unknown): LeftTimeline[] | undefined {
  if (typeof text !== 'string') return undefined;
  const left: LeftTimeline[] = [];
  for (const entry of text.split(' ').filter((part) => part !== '')) {
    const [, timeline, switchLsn] = /^(\d+):(\S+)$/.exec(entry) ?? [];
    if (timeline === undefined || !isLsn(switchLsn)) return undefined;
    left.push({ timeline: Number(timeline), switchLsn });
  }
  return left;
}

/**
 * Where something is not known, equal system ids and timelines count as the same lineage.
 * @returns a sentence; undefined when `now` does descend from `former`
 */
export function whyNoDescendant(former: Facts, now: Facts): string | undefined {
  if (!agree(former.systemId, now.systemId)) {
    return `It is of the server with the system id ${now.systemId}, and the earlier backup is of ${former.systemId}.`;
  }
  if (agree(former.timeline, now.timeline)) return whyNotLater(former, now);
  const history = parseHistory(now.timelineHistory);
  const at = history?.findIndex(({ timeline }) => timeline === former.timeline) ?? -1;
  const left = history?.[at];
  if (!left) {
    return `Its timeline ${now.timeline} is not known to have come from timeline ${former.timeline} of the earlier backup.`;
  }
  if (isLsn(former.endLsn) && compareLsn(left.switchLsn, former.endLsn) < 0) {
    return `Its server left timeline ${former.timeline} at ${left.switchLsn}, before the earlier backup had ended at ${former.endLsn}.`;
  }
  const shared = parseHistory(former.timelineHistory);
  return shared && historyText(shared) !== historyText((history ?? []).slice(0, at))
    ? otherHistory(former, now)
    : undefined;
}

function whyNotLater(former: Facts, now: Facts): string | undefined {
  const [before, after] = [parseHistory(former.timelineHistory), parseHistory(now.timelineHistory)];
  if (before && after && historyText(before) !== historyText(after)) return otherHistory(former, now);
  // A standby's backup starts at its last restartpoint, which may well lie before the end of the backup before.
  const reached = [now.startLsn, now.serverLsn].filter(isLsn).sort(compareLsn).at(-1);
  if (isLsn(former.endLsn) && reached !== undefined && compareLsn(reached, former.endLsn) < 0) {
    return `Its server stood at ${reached} of timeline ${now.timeline} when it began, and had been at ${former.endLsn} when the earlier backup ended: it went back.`;
  }
  return undefined;
}

function otherHistory(former: Facts, now: Facts): string {
  return `Its timelines (${now.timelineHistory || 'none before'}) branched off elsewhere than those of the earlier backup (${former.timelineHistory || 'none before'}).`;
}

/** A fact that is not known agrees with every other. */
function agree(former: Facts[string] | undefined, now: Facts[string] | undefined): boolean {
  return former === undefined || former === null || now === undefined || now === null || former === now;
}
