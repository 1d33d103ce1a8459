/**
 * Keeps some space free on the disks that a backup is restored to: a restore that does not fit beside it is not begun, and one that turns
 * out to be larger ends before a disk is full.
 */
import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EngineFault } from './engine-fault.js';

/** So many bytes are restored between two looks at the disks. */
const lookEachBytes = 67_108_864;
/** What writes by itself is looked at so often, in milliseconds. */
const usualLookMs = 1_000;
const told = 'There is no room for the server on the disk of the built servers.';

/** A disk, and how many bytes are free there for this user. */
export interface FreeDisk {
  device: number;
  bytes: number;
}

export class DiskRoom {
  constructor(
    /** Where the restore writes. What is not there yet will be on the disk of the folder above it. */
    private readonly folders: readonly string[],
    private readonly reserveBytes: number,
    private readonly diskAt: (folder: string) => Promise<FreeDisk> = freeDiskAt,
  ) {}

  /**
   * @param bytes of the least that is to be written
   * @param mostBytes of the most
   * @throws {EngineFault} `restore-target-unusable`, when the least does not fit beside the reserve
   */
  async mustHold(bytes: number, mostBytes = bytes): Promise<void> {
    if (this.reserveBytes === 0 && bytes === 0) return;
    const disks = new Map<number, number>();
    for (const folder of this.folders) {
      const { device, bytes: free } = await this.diskAt(folder);
      if (free < this.reserveBytes) throw this.noRoom(folder, free, 0, 0);
      disks.set(device, free - this.reserveBytes);
    }
    const room = [...disks.values()].reduce((sum, free) => sum + free, 0);
    if (room >= bytes) return;
    throw this.noRoom(this.folders.join(', '), room + disks.size * this.reserveBytes, bytes, mostBytes);
  }

  /**
   * Runs a restore, which calls `wrote` with each piece that it has written.
   * @param signal ends the restore
   * @throws {EngineFault} when the room gets too little meanwhile: the signal has ended the restore then
   */
  watch<T>(
    signal: AbortSignal,
    restore: (signal: AbortSignal, wrote: (bytes: number) => void) => Promise<T>,
  ): Promise<T> {
    let sinceBytes = 0;
    return this.endingWhenFull(signal, (ending, look) =>
      restore(ending, (bytes) => {
        sinceBytes += bytes;
        if (sinceBytes < lookEachBytes) return;
        sinceBytes = 0;
        look();
      }),
    );
  }

  /** The same for what does not tell what it writes, such as a server that recovers its data. */
  async during<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>, lookMs = usualLookMs): Promise<T> {
    return this.endingWhenFull(signal, async (ending, look) => {
      const looks = setInterval(look, lookMs);
      try {
        return await work(ending);
      } finally {
        clearInterval(looks);
      }
    });
  }

  private async endingWhenFull<T>(
    signal: AbortSignal,
    work: (signal: AbortSignal, look: () => void) => Promise<T>,
  ): Promise<T> {
    const ending = new AbortController();
    const look = () => void this.mustHold(0).catch((fault: unknown) => ending.abort(fault));
    try {
      return await work(AbortSignal.any([signal, ending.signal]), look);
    } catch (error) {
      throw ending.signal.aborted && !signal.aborted ? ending.signal.reason : error;
    }
  }

  private noRoom(where: string, free: number, least: number, most: number): EngineFault {
    const needed = [
      ...(least > 0 ? [`${inMib(least)} MiB are to be written at the least`] : []),
      ...(most > least ? [`${inMib(most)} MiB at the most`] : []),
      `${inMib(this.reserveBytes)} MiB stay free (STRONGROOM_FREE_SPACE_RESERVE_MIB)`,
    ];
    const message = `There is no room in ${where}: ${inMib(free)} MiB are free, ${needed.join(', ')}. Make room there, or restore to another disk.`;
    return new EngineFault('restore-target-unusable', message, { told });
  }
}

function inMib(bytes: number): number {
  return Math.floor(bytes / 1_048_576);
}

async function freeDiskAt(folder: string): Promise<FreeDisk> {
  try {
    const [{ dev: device }, { bavail, bsize }] = [await stat(folder), await statfs(folder)];
    return { device, bytes: bavail * bsize };
  } catch (error) {
    const isMissing = typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT';
    if (!isMissing || dirname(folder) === folder) throw error;
    return freeDiskAt(dirname(folder));
  }
}
