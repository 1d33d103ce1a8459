import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { DiskRoom } from './disk-room.js';

const mib = 1_048_576;
const roomOf = (...free: number[]) =>
  new DiskRoom(['/srv/instances'], 10 * mib, async () => ({
    device: 1,
    bytes: (free.length > 1 ? free.shift() : free[0]) ?? 0,
  }));

describe('the disks that a backup is restored to', () => {
  it('take what fits beside the space that stays free, and no more', async () => {
    await expect(roomOf(110 * mib).mustHold(100 * mib)).resolves.toBeUndefined();
    const fault: unknown = await roomOf(109 * mib)
      .mustHold(100 * mib, 300 * mib)
      .catch((error: unknown) => error);
    expect(fault).toMatchObject({
      code: 'restore-target-unusable',
      message: expect.stringContaining(
        '/srv/instances: 109 MiB are free, 100 MiB are to be written at the least, 300 MiB at the most, 10 MiB stay free',
      ),
    });
    expect(fault).toMatchObject({ told: expect.stringMatching(/^There is no room for the server/) });
  });

  it('are looked at together where the server lies on several, and each has to keep its space', async () => {
    const free: Record<string, { device: number; bytes: number }> = {
      '/data': { device: 1, bytes: 60 * mib },
      '/data/more': { device: 1, bytes: 60 * mib },
      '/fast': { device: 2, bytes: 50 * mib },
      '/full': { device: 3, bytes: 9 * mib },
    };
    const room = (...folders: string[]) =>
      new DiskRoom(folders, 10 * mib, async (folder) => free[folder] ?? { device: 0, bytes: 0 });
    await expect(room('/data', '/fast').mustHold(90 * mib)).resolves.toBeUndefined();
    await expect(room('/data', '/data/more').mustHold(90 * mib)).rejects.toThrow('no room');
    await expect(room('/data', '/full').mustHold(0)).rejects.toThrow('/full: 9 MiB are free');
  });

  it('end a restore before one is full', async () => {
    const never = new AbortController().signal;
    const restore = async (signal: AbortSignal, wrote: (bytes: number) => void) => {
      for (let n = 0; n < 100 && !signal.aborted; n += 1) {
        wrote(mib * 64);
        await new Promise((resolve) => setImmediate(resolve));
      }
      signal.throwIfAborted();
      return 'restored';
    };
    expect(await roomOf(500 * mib).watch(never, restore)).toBe('restored');
    await expect(roomOf(500 * mib, 100 * mib, 9 * mib).watch(never, restore)).rejects.toMatchObject({
      code: 'restore-target-unusable',
    });
  });

  it('end what writes by itself, such as a recovery, before one is full', async () => {
    const never = new AbortController().signal;
    const recovery = (signal: AbortSignal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('called off'))));
    await expect(roomOf(100 * mib, 50 * mib, 9 * mib).during(never, recovery, 1)).rejects.toMatchObject({
      code: 'restore-target-unusable',
    });
    await expect(roomOf(100 * mib).during(never, async () => 'recovered', 1)).resolves.toBe('recovered');
    await expect(roomOf(100 * mib).during(AbortSignal.timeout(1), recovery)).rejects.toThrow('called off');
  });

  it('are asked what is free there, also for a folder that is not there yet', async () => {
    for (const folder of [tmpdir(), join(tmpdir(), 'not', 'there')]) {
      await expect(new DiskRoom([folder], 1).mustHold(0)).resolves.toBeUndefined();
      await expect(new DiskRoom([folder], 0).mustHold(Number.MAX_SAFE_INTEGER)).rejects.toThrow('no room');
    }
  });
});
