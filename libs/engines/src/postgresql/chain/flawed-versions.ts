/**
 * Versions of PostgreSQL whose incremental backups are known to be wrong in a way that can't be mended when they are
 * restored. Nothing is built on or by such a server.
 */
export interface FlawedVersions {
  /** As `server_version_num`: the first that has the fault, and the first that has it no more. */
  from: number;
  fixedIn: number;
  /** What is wrong, as a part of a sentence. */
  fault: string;
  /** The version that is needed. */
  remedy: string;
}

/**
 * A table of several segments that vacuum cuts: the length that is sent for a segment is the table's, not the segment's,
 * and that of the visibility map is the table's too. A file beyond its segment's size is one that the server will not
 * read. The summaries of the WAL are wrong themselves, so that an upgrade between two backups does not mend the second.
 */
const beyondSegment = 'sends segments of relations beyond their size after a large table was cut';

export const flawedVersions: readonly FlawedVersions[] = [
  { from: 170_000, fixedIn: 170_008, fault: beyondSegment, remedy: '17.8' },
  { from: 180_000, fixedIn: 180_002, fault: beyondSegment, remedy: '18.2' },
];

export function flawOf(versionNumber: number): FlawedVersions | undefined {
  return flawedVersions.find(({ from, fixedIn }) => versionNumber >= from && versionNumber < fixedIn);
}
