import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { faultOf } from '@strongroom/contracts';
import { PassingVault } from '../../../test/vaults/passing-vault.js';
import { storeSample } from '../fixtures/sample-backup.js';
import { copyBackup } from './copy-backup.js';
import { DirectoryVault } from './directory/directory-vault.js';
import { TooLargeForRoom } from './free-space.js';
import type { Vault } from './vault.js';
import { watched } from './watched-vault.js';

const mib = 1_048_576;
let folder: string;
let real: DirectoryVault;

/** A disk of which somebody else takes the room, look by look. The last figure stays. */
class ShrinkingDisk extends PassingVault {
  constructor(
    vault: Vault,
    private readonly rooms: number[],
  ) {
    super(vault);
  }

  override async roomBytes(): Promise<number | undefined> {
    return (this.rooms.length > 1 ? this.rooms.shift() : this.rooms[0]) ?? 0;
  }
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-space-'));
  real = new DirectoryVault('DFW', folder);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const keeping = (...rooms: number[]) => watched(new ShrinkingDisk(real, rooms), { reserveBytes: 10 * mib });
const backupId = '0198c0de-0000-7000-8000-00000000beef';

async function* megabytes(count: number, taken: { bytes: number }): AsyncGenerator<Buffer> {
  for (let n = 0; n < count; n += 1) {
    taken.bytes += mib;
    yield Buffer.alloc(mib);
  }
}

describe('a disk that keeps some space free', () => {
  it('takes nothing when there is no more than that, and says so without its path', async () => {
    const taken = { bytes: 0 };
    const upload = await keeping(9 * mib).begin(backupId, 1);
    const error: unknown = await upload.put('base.tar.zst', megabytes(3, taken)).catch((fault: unknown) => fault);
    expect(error).toMatchObject({
      code: 'vault-full',
      retryable: true,
      message: expect.stringContaining('9 MiB are free'),
    });
    expect(error).not.toBeInstanceOf(TooLargeForRoom);
    expect(faultOf(error).message).toBe('The vault of DFW has no room for it.');
    expect(taken.bytes).toBeLessThanOrEqual(mib);
    await upload.discard();
  });

  it('ends what is written before it is full', async () => {
    const taken = { bytes: 0 };
    const upload = await keeping(50 * mib, 30 * mib, 9 * mib).begin(backupId, 1);
    await expect(upload.put('base.tar.zst', megabytes(200, taken))).rejects.toMatchObject({ code: 'vault-full' });
    expect(taken.bytes).toBeLessThan(40 * mib);
    await upload.discard();
  });

  it('is not even asked to take a copy that does not fit', async () => {
    const other = await mkdtemp(join(tmpdir(), 'strongroom-space-'));
    try {
      const from = new DirectoryVault('IAD', other);
      const { backupId: id, manifestBytes } = await storeSample(from);
      const expectedSha256 = createHash('sha256').update(manifestBytes).digest('hex');
      const asked = { from, backupId: id, attempt: 1, expectedSha256, signal: new AbortController().signal };
      const full = copyBackup({ ...asked, to: keeping(10 * mib + 1) });
      // What is smaller may fit there.
      await expect(full).rejects.toBeInstanceOf(TooLargeForRoom);
      await expect(full).rejects.toMatchObject({
        code: 'vault-full',
        message: expect.stringContaining('are to be written'),
      });
      expect(await copyBackup({ ...asked, attempt: 2, to: keeping(100 * mib) })).toMatchObject({ transferred: true });
    } finally {
      await rm(other, { recursive: true, force: true });
    }
  });
});
