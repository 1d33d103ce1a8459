/**
 * Keeps some space of a disk free. What does not fit beside it is refused, or ends before the disk is full: a full disk hurts whatever
 * else is on it, and a backup can't even be deleted there.
 */
import type { Vault } from './vault.js';
import { VaultFault } from './vault-fault.js';

/** There is room, and not for as much as is to be written. What is smaller may fit. */
export class TooLargeForRoom extends VaultFault {}

/** So many bytes are written between two looks at the disk. */
const lookEachBytes = 16_777_216;

export class FreeSpace {
  constructor(
    private readonly vault: Pick<Vault, 'region' | 'roomBytes'>,
    private readonly reserveBytes: number,
  ) {}

  /** @throws {VaultFault} `vault-full`, when so many bytes do not fit beside the reserve */
  async mustHold(bytes: number): Promise<void> {
    if (this.reserveBytes === 0) return;
    const roomBytes = await this.vault.roomBytes();
    if (roomBytes === undefined || roomBytes - bytes >= this.reserveBytes) return;
    const { region } = this.vault;
    const room = `${inMib(roomBytes)} MiB are free`;
    const needed = bytes > 0 ? `${inMib(bytes)} MiB are to be written, and ` : '';
    const Full = roomBytes >= this.reserveBytes ? TooLargeForRoom : VaultFault;
    throw new Full(
      'vault-full',
      region,
      `The vault of ${region} has no room: ${room}, ${needed}${inMib(this.reserveBytes)} MiB stay free (STRONGROOM_FREE_SPACE_RESERVE_MIB). Make room in it, or remove backups that are not needed.`,
      { told: `The vault of ${region} has no room for it.` },
    );
  }

  /** The same bytes, as long as there is room for them. */
  async *leftBy(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
    let sinceBytes = lookEachBytes;
    for await (const chunk of source) {
      if (sinceBytes >= lookEachBytes) {
        await this.mustHold(0);
        sinceBytes = 0;
      }
      yield chunk;
      sinceBytes += chunk.length;
    }
  }
}

function inMib(bytes: number): number {
  return Math.floor(bytes / 1_048_576);
}
