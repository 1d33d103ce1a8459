/**
 * The grounds on which nothing can be built on a backup, as far as the server's own facts and the parent's manifest tell
 * them. They are looked for before anything is sent. On each of them a full backup can still be taken.
 */
import type { VaultManifest } from '@strongroom/contracts';
import { IncrementalNotPossible } from '../../engine-fault.js';
import { compareLsn, isLsn } from '../lsn.js';
import type { Server } from '../server.js';
import { flawOf } from './flawed-versions.js';

/** The closed list of grounds. docs/incremental-grounds.md tells how each is found. */
export const incrementalGrounds = [
  'version-too-old',
  'server-version-flawed',
  'wal-not-summarized',
  'pages-change-without-wal',
  'no-database-connection',
  'another-server',
  'timeline-changed',
  'snapshot-put-back',
  'parent-slot-gone',
  'parent-not-there',
  'parent-unreadable',
  'parent-of-older-format',
  'no-slot-free',
  'data-checksums-changed',
  'page-layout-changed',
  'summaries-missing',
  'refused-by-server',
] as const;

export type IncrementalGround = (typeof incrementalGrounds)[number];

/** The reason lacks the last sentence, which all grounds share: take a full backup. */
export interface Ground {
  ground: IncrementalGround;
  reason: string;
}

/** The oldest major version with incremental backups. */
const oldestMajor = 17;

/** The fact of backups that leave their replication slot when they have ended. Older ones left it when their full backup began. */
export const madeAtEnd = 'end';

export function notPossible({ ground, reason }: Ground, cause?: unknown): IncrementalNotPossible {
  return new IncrementalNotPossible(ground, `${reason} Take a full backup.`, { cause });
}

/**
 * Why no incremental backup can be taken of any server of a version. Undefined when one can.
 * @param major such as 17
 */
export function againstVersion(version: string, major: number): Ground | undefined {
  if (major >= oldestMajor) return undefined;
  return {
    ground: 'version-too-old',
    reason: `The server is PostgreSQL ${version}; incremental backups are taken of version ${oldestMajor} and newer.`,
  };
}

/** Why no incremental backup can be taken of this server, on any parent. Undefined when one can. */
export function againstServer(server: Server): Ground | undefined {
  return allAgainstServer(server)[0];
}

/** Every ground that is to be mended before an incremental backup can be taken of this server, on any parent. */
export function allAgainstServer(server: Server): Ground[] {
  const { version, versionNumber } = server;
  const tooOld = againstVersion(version, Math.floor(versionNumber / 10_000));
  if (tooOld) return [tooOld];
  const against: Ground[] = [];
  const flaw = flawOf(versionNumber);
  if (flaw) {
    against.push({
      ground: 'server-version-flawed',
      reason: `The server is PostgreSQL ${version}, which ${flaw.fault}: an incremental backup of it can't be trusted. Upgrade it to ${flaw.remedy} or newer.`,
    });
  }
  if (!server.summarizesWal) {
    against.push({
      ground: 'wal-not-summarized',
      reason:
        'The server does not summarize its WAL, which incremental backups need. Set summarize_wal = on and reload it.',
    });
  }
  // Otherwise a page may change without a trace in the WAL, as the visibility map does when vacuum cuts a table.
  if (server.dataChecksums !== 'on' && server.walLogHints !== 'on') {
    against.push({
      ground: 'pages-change-without-wal',
      reason:
        'The server has neither data checksums nor wal_log_hints: its pages may change without a trace in the WAL. Set wal_log_hints = on and restart it, or turn data checksums on (pg_checksums --enable).',
    });
  }
  return against;
}

/** Why nothing can be built on this parent here, as far as facts tell. Undefined when they say nothing against it. */
export function againstParent(server: Server, { backupId, engine: parent }: VaultManifest): Ground | undefined {
  if (parent.chainSlot === null && parent.chainSlotGround !== undefined) {
    return {
      ground: groundOf(parent.chainSlotGround),
      reason: `Nothing can be built on backup ${backupId}. ${String(parent.chainSlotReason)}`,
    };
  }
  if (typeof parent.chainSlot !== 'string' || parent.slotMadeAt !== madeAtEnd) {
    return {
      ground: 'parent-of-older-format',
      reason: `Backup ${backupId} was taken by an older version of Strongroom: nothing tells for certain that its server has the same history.`,
    };
  }
  if (parent.systemId !== server.systemId) {
    return {
      ground: 'another-server',
      reason: `The server (system id ${server.systemId}) is another one than that of backup ${backupId} (${parent.systemId}).`,
    };
  }
  if (parent.timeline !== server.timeline) {
    return {
      ground: 'timeline-changed',
      reason: `The server is on timeline ${server.timeline} and was on ${parent.timeline} when backup ${backupId} was taken: it was promoted or restored since.`,
    };
  }
  if (!isLsn(parent.startLsn) || !isLsn(parent.endLsn) || !isLsn(server.lsn)) {
    return { ground: 'parent-of-older-format', reason: `Where backup ${backupId} began and ended is not known.` };
  }
  if (compareLsn(server.lsn, parent.endLsn) < 0) {
    return {
      ground: 'snapshot-put-back',
      reason: `The server's WAL is at ${server.lsn} and was at ${parent.endLsn} when backup ${backupId} ended: its storage was put back to an earlier state.`,
    };
  }
  return changedSince(server, backupId, parent);
}

/** Compares what must not have changed since the parent. */
function changedSince(server: Server, backupId: string, parent: VaultManifest['engine']): Ground | undefined {
  if (parent.dataChecksums !== server.dataChecksums) {
    return {
      ground: 'data-checksums-changed',
      reason: `Data checksums are ${server.dataChecksums} and were ${parent.dataChecksums ?? 'not noted'} when backup ${backupId} was taken: turning them on or off changes pages without a trace in the WAL.`,
    };
  }
  if (parent.dataChecksums !== 'on' && parent.walLogHints !== 'on') {
    return {
      ground: 'pages-change-without-wal',
      reason: `When backup ${backupId} was taken the server had neither data checksums nor wal_log_hints: pages may have changed since without a trace in the WAL.`,
    };
  }
  if (parent.blockSize !== server.blockSize || parent.segmentBlocks !== server.segmentBlocks) {
    return {
      ground: 'page-layout-changed',
      reason: `The server has blocks of ${server.blockSize} bytes and ${server.segmentBlocks} of them in a segment; in backup ${backupId} they are ${parent.blockSize} and ${parent.segmentBlocks ?? 'not noted'}.`,
    };
  }
  const flaw = flawOf(Number(parent.serverVersionNumber));
  if (!flaw) return undefined;
  return {
    ground: 'server-version-flawed',
    reason: `Backup ${backupId} was taken of PostgreSQL ${parent.serverVersion}, which ${flaw.fault}: what it noted of the changes since can't be trusted.`,
  };
}

function groundOf(fact: unknown): IncrementalGround {
  return incrementalGrounds.find((ground) => ground === fact) ?? 'parent-of-older-format';
}
