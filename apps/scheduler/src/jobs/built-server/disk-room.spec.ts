import { tmpdir } from 'node:os';
import { describe, expect, it } from '@jest/globals';
import { DiskRoom } from './disk-room.js';
import { forTenant } from './told-to-tenants.js';

const mib = 1_048_576;
const roomOf = (...free: number[]) =>
  new DiskRoom('/srv/instances', 10 * mib, async () => (free.length > 1 ? free.shift() : free[0]) ?? 0);

describe('the disk of the built servers', () => {
  it('takes a server that fits beside the space that stays free, and no larger one', async () => {
    await expect(roomOf(110 * mib).mustHold(100 * mib)).resolves.toBeUndefined();
    const fault: unknown = await roomOf(109 * mib)
      .mustHold(100 * mib)
      .catch((error: unknown) => error);
    expect(fault).toMatchObject({
      code: 'restore-target-unusable',
      message: expect.stringContaining('/srv/instances: 109 MiB are free, 100 MiB are to be written'),
    });
    expect(forTenant(fault)).toMatchObject({ told: expect.stringMatching(/^There is no room for the server/) });
  });

  it('ends a restore before it is full', async () => {
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

  it('ends what writes by itself, such as a recovery, before it is full', async () => {
    const never = new AbortController().signal;
    const recovery = (signal: AbortSignal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('called off'))));
    await expect(roomOf(100 * mib, 50 * mib, 9 * mib).during(never, recovery, 1)).rejects.toMatchObject({
      code: 'restore-target-unusable',
    });
    await expect(roomOf(100 * mib).during(never, async () => 'recovered', 1)).resolves.toBe('recovered');
    await expect(roomOf(100 * mib).during(AbortSignal.timeout(1), recovery)).rejects.toThrow('called off');
  });

  it('is asked what is free there', async () => {
    await expect(new DiskRoom(tmpdir(), 1).mustHold(0)).resolves.toBeUndefined();
    await expect(new DiskRoom(tmpdir(), 1).mustHold(Number.MAX_SAFE_INTEGER)).rejects.toThrow('no room');
    await expect(new DiskRoom('/not/there', 0).mustHold(1)).resolves.toBeUndefined();
  });
});
