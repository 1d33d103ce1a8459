/**
 * The versions of PostgreSQL whose incremental backups are known to be wrong, in a way that a restore can't mend. Such a
 * server takes no incrementals, and nothing is built on its backups.
 */
export interface FlawedVersions {
  /** The first version that has the fault, and the first that does not have it any more, as `server_version_num`. */
  from: number;
  fixedIn: number;
  /** What is wrong, as a part of a sentence. */
  fault: string;
  /** The version to upgrade to. */
  remedy: string;
}

/**
 * The fault shows when vacuum cuts a table of several segments: the server sends the table's length as that of a segment,
 * and also as that of the visibility map. A server does not read a file that is longer than its segment may be. The WAL
 * summaries are wrong themselves, so an upgrade between two backups does not mend the second one.
 */
const beyondSegment = 'sends segments of relations beyond their size after a large table was cut';

export const flawedVersions: readonly FlawedVersions[] = [
  { from: 170_000, fixedIn: 170_008, fault: beyondSegment, remedy: '17.8' },
  { from: 180_000, fixedIn: 180_002, fault: beyondSegment, remedy: '18.2' },
];

export function flawOf(versionNumber: number): FlawedVersions | undefined {
  return flawedVersions.find(({ from, fixedIn }) => versionNumber >= from && versionNumber < fixedIn);
}
