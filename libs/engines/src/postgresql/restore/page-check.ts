/**
 * Checks the pages of a restored folder: each has its checksum, where the server had checksums, and none is of a time after
 * the backup. A page that was written during the backup may be torn. Its record in the backup's WAL mends it at the first
 * start. Source: src/backend/backup/basebackup.c, verify_page_checksum.
 */
import type { VaultManifest } from '@strongroom/contracts';
import { isLsn, positionOf } from '../lsn.js';
import type { ControlFile } from './control-file.js';
import { checksumAt, pageChecksum } from './page-checksum.js';
import type { RelationFile } from './relation-file.js';

const upperAt = 14;

export class PageCheck {
  private readonly startLsn: bigint | undefined;
  private readonly endLsn: bigint | undefined;

  constructor(
    readonly control: Omit<ControlFile, 'held'>,
    { engine }: VaultManifest,
  ) {
    this.startLsn = lsnOf(engine.startLsn);
    this.endLsn = lsnOf(engine.endLsn);
  }

  /**
   * @param page its memory begins at a multiple of four
   * @param block its number in the file
   * @returns what is wrong with it; undefined when nothing is
   */
  whyInvalid(page: Buffer, file: RelationFile, block: number): string | undefined {
    // A new page holds nothing yet.
    if (page.readUInt16LE(upperAt) === 0) return undefined;
    const lsn = (BigInt(page.readUInt32LE(0)) << 32n) | BigInt(page.readUInt32LE(4));
    if (this.endLsn !== undefined && lsn > this.endLsn) {
      return `it was written at ${textOf(lsn)}, and the backup ends at ${textOf(this.endLsn)}`;
    }
    const { hasChecksums, segmentBlocks } = this.control;
    if (!hasChecksums || this.startLsn === undefined || lsn >= this.startLsn) return undefined;
    const expected = pageChecksum(
      new Uint32Array(page.buffer, page.byteOffset, page.length / 4),
      file.segment * segmentBlocks + block,
    );
    const found = page.readUInt16LE(checksumAt);
    return found === expected ? undefined : `its checksum is ${found} and should be ${expected}`;
  }
}

function lsnOf(said: unknown): bigint | undefined {
  return isLsn(said) ? positionOf(said) : undefined;
}

function textOf(lsn: bigint): string {
  return `${(lsn >> 32n).toString(16)}/${(lsn & 0xffff_ffffn).toString(16)}`.toUpperCase();
}
