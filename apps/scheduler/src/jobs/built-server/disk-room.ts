/**
 * Keeps some space free on the disk of the built servers: a restore that does not fit beside it is not begun, and one that turns out to
 * be larger ends before the disk is full.
 */
import { statfs } from 'node:fs/promises';
import { EngineFault } from '@strongroom/engines';

/** So many bytes are restored between two looks at the disk. */
const lookEachBytes = 67_108_864;
/** What writes by itself is looked at so often, in milliseconds. */
const usualLookMs = 1_000;
const told = 'There is no room for the server on the disk of the built servers.';

export class DiskRoom {
  constructor(
    private readonly folder: string,
    private readonly reserveBytes: number,
    /** How many bytes are free where a folder lies. */
    private readonly freeBytes = freeBytesAt,
  ) {}

  /** @throws {EngineFault} `restore-target-unusable`, when so many bytes do not fit beside the reserve */
  async mustHold(bytes: number): Promise<void> {
    if (this.reserveBytes === 0) return;
    const free = await this.freeBytes(this.folder);
    if (free - bytes >= this.reserveBytes) return;
    const [freeMib, neededMib, keptMib] = [free, bytes, this.reserveBytes].map((each) => Math.floor(each / 1_048_576));
    const message = `There is no room for the server in ${this.folder}: ${freeMib} MiB are free, ${neededMib} MiB are to be written, and ${keptMib} MiB stay free (STRONGROOM_FREE_SPACE_RESERVE_MIB).`;
    throw new EngineFault('restore-target-unusable', message, { told });
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
}

async function freeBytesAt(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
