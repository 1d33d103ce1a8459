import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { leastMovedBytes, type TransferPermit, TransferPermits } from './transfer-permits.js';

const { signal } = new AbortController();
const permitsOf = (caps: Record<string, number>) => new TransferPermits({ caps: new Map(Object.entries(caps)) });
const settled = () => new Promise(setImmediate);

describe('transfers in one vault', () => {
  it('are as many as want to be where there is no limit', () => {
    const permits = permitsOf({ ORD: 1 });
    for (let count = 0; count < 100; count += 1) expect(permits.tryTake(['DFW'], 'backups')).toBeDefined();
    expect(permits.mostFor('DFW', 'backups')).toBe(Number.POSITIVE_INFINITY);
  });

  it('are never more than the limit, whatever they are, and one kind leaves a permit to the others', () => {
    const permits = permitsOf({ DFW: 3 });
    const first = permits.tryTake(['DFW'], 'backups');
    expect(permits.tryTake(['DFW'], 'backups')).toBeDefined();
    expect(permits.tryTake(['DFW'], 'backups')).toBeUndefined();
    expect(permits.tryTake(['DFW'], 'scrub')).toBeDefined();
    expect(permits.tryTake(['DFW'], 'copies to ORD')).toBeUndefined();
    expect(permits.mostFor('DFW', 'backups')).toBe(2);
    expect(permits.mostFor('DFW', 'copies to ORD')).toBe(0);
    first?.release();
    first?.release();
    expect(permits.mostFor('DFW', 'copies to ORD')).toBe(1);
    expect(permits.tryTake(['DFW'], 'copies to ORD')).toBeDefined();
    expect(permits.tryTake(['DFW'], 'scrub')).toBeUndefined();
  });

  it('are begun in the order in which they came', async () => {
    const permits = permitsOf({ DFW: 1 });
    const first = permits.tryTake(['DFW'], 'backups');
    const begun: string[] = [];
    const wants = async (by: string) => {
      const permit = await permits.take(['DFW'], by, signal);
      begun.push(by);
      permit.release();
    };
    const all = Promise.all(['scrub', 'copies to ORD', 'backups'].map(wants));
    await settled();
    expect(begun).toEqual([]);
    first?.release();
    await all;
    expect(begun).toEqual(['scrub', 'copies to ORD', 'backups']);
  });

  it('that need each other’s vault do not wait for each other for ever', async () => {
    const permits = permitsOf({ IAD: 1, ORD: 1 });
    const toOrd = permits.tryTake(['ORD'], 'copies to ORD');
    const toIad = permits.tryTake(['IAD'], 'copies to IAD');
    const done: string[] = [];
    const ordFromIad = toOrd?.also('IAD', signal).then(() => done.push('to ORD'));
    const iadFromOrd = toIad?.also('ORD', signal).then(() => done.push('to IAD'));
    await settled();
    expect(done).toHaveLength(1);
    (done[0] === 'to ORD' ? toOrd : toIad)?.release();
    await Promise.all([ordFromIad, iadFromOrd]);
    expect(done).toHaveLength(2);
  });

  it('pass from one source to the next, and keep no permit in the one before', async () => {
    const permits = permitsOf({ DFW: 2, IAD: 2 });
    const permit = permits.tryTake(['ORD'], 'copies to ORD');
    await permit?.also('DFW', signal);
    expect(permits.mostFor('DFW', 'backups')).toBe(1);
    await permit?.also('IAD', signal);
    expect([permits.mostFor('DFW', 'scrub'), permits.mostFor('IAD', 'scrub')]).toEqual([1, 1]);
    expect(permits.tryTake(['DFW'], 'copies to ORD')).toBeDefined();
    permit?.release();
    expect(permits.tryTake(['IAD'], 'copies to ORD')).toBeDefined();
  });

  it('that are given up while they wait hold nothing', async () => {
    const permits = permitsOf({ DFW: 1 });
    const first = permits.tryTake(['DFW'], 'backups');
    const ending = new AbortController();
    const waiting = permits.take(['DFW'], 'scrub', ending.signal);
    ending.abort(new Error('the process is stopping'));
    await expect(waiting).rejects.toThrow('the process is stopping');
    first?.release();
    expect(permits.tryTake(['DFW'], 'backups')).toBeDefined();
  });

  it('are more at once when the number is raised, and none begins when it is lowered until enough have ended', async () => {
    const permits = permitsOf({ DFW: 1 });
    const held = [permits.tryTake(['DFW'], 'backups')];
    let begun = 0;
    const waiting = ['scrub', 'copies to ORD'].map(async (by) => {
      held.push(await permits.take(['DFW'], by, signal));
      begun += 1;
    });
    await settled();
    expect(begun).toBe(0);
    permits.setCaps(new Map([['DFW', 3]]));
    await Promise.all(waiting);
    expect(held).toHaveLength(3);
    permits.setCaps(new Map([['DFW', 1]]));
    expect(permits.mostFor('DFW', 'backups')).toBe(0);
    held[1]?.release();
    held[2]?.release();
    expect(permits.tryTake(['DFW'], 'scrub')).toBeUndefined();
    held[0]?.release();
    expect(permits.tryTake(['DFW'], 'scrub')).toBeDefined();
    permits.setCaps(new Map());
    expect(permits.mostFor('DFW', 'backups')).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('a transfer that tells of its moves', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  const copying = async (permits: TransferPermits, region: string, from: string) => {
    const permit = permits.tryTake([region], `copies to ${region}`);
    if (!permit) throw new Error(`${region} has no permit`);
    await permit.also(from, signal);
    return permit;
  };

  it('keeps its permit while it moves, and leaves it to others when nothing has moved for long', async () => {
    const permits = permitsOf({ DFW: 1, ORD: 1 });
    const toOrd = await copying(permits, 'ORD', 'DFW');
    for (let count = 0; count < 5; count += 1) {
      jest.advanceTimersByTime(permits.stillMs - 1);
      expect(toOrd.moves(leastMovedBytes)).toBeUndefined();
    }
    expect(permits.mostFor('DFW', 'copies to IAD')).toBe(0);
    jest.advanceTimersByTime(permits.stillMs);
    expect(permits.mostFor('DFW', 'copies to IAD')).toBe(1);
    expect(permits.mostFor('ORD', 'copies to ORD')).toBe(1);
  });

  it('takes turns with the others when it crawls', async () => {
    const permits = permitsOf({ DFW: 1 });
    const toOrd = await copying(permits, 'ORD', 'DFW');
    const toIad = copying(permits, 'IAD', 'DFW');
    for (let second = 1; second * 1_000 < permits.stillMs; second += 1) {
      await jest.advanceTimersByTimeAsync(1_000);
      expect(toOrd.moves(1_000)).toBeUndefined();
    }
    await jest.advanceTimersByTimeAsync(1_000);
    let isItsTurn = false;
    void toOrd.moves(1_000)?.then(() => {
      isItsTurn = true;
    });
    (await toIad).release();
    await jest.advanceTimersByTimeAsync(0);
    expect(isItsTurn).toBe(true);
    expect(permits.mostFor('DFW', 'backups')).toBe(0);
  });

  it('waits for a permit when it comes back, never moves beside another, and lends again when it stands still again', async () => {
    const permits = permitsOf({ DFW: 1 });
    const toOrd = await copying(permits, 'ORD', 'DFW');
    jest.advanceTimersByTime(permits.stillMs);
    const toIad = await copying(permits, 'IAD', 'DFW');
    const told: string[] = [];
    // Its segments move beside each other.
    for (const part of ['first', 'second']) void toOrd.moves(1)?.then(() => told.push(part));
    await jest.advanceTimersByTimeAsync(permits.stillMs - 1);
    expect(told).toEqual([]);
    toIad.release();
    await jest.advanceTimersByTimeAsync(0);
    expect(told).toEqual(['first', 'second']);
    expect(permits.mostFor('DFW', 'copies to IAD')).toBe(0);
    expect(toOrd.moves(leastMovedBytes)).toBeUndefined();
    jest.advanceTimersByTime(permits.stillMs);
    expect(permits.mostFor('DFW', 'copies to IAD')).toBe(1);
  });

  it('holds nothing when it ends, whether it has a permit, has lent it or waits for it', async () => {
    const permits = permitsOf({ DFW: 1 });
    const ending: (() => Promise<TransferPermit>)[] = [
      () => copying(permits, 'ORD', 'DFW'),
      async () => {
        const permit = await copying(permits, 'ORD', 'DFW');
        jest.advanceTimersByTime(permits.stillMs);
        return permit;
      },
      async () => {
        const permit = await copying(permits, 'ORD', 'DFW');
        jest.advanceTimersByTime(permits.stillMs);
        const other = permits.tryTake(['DFW'], 'backups');
        const told = permit.moves(1)?.catch(({ message }: Error) => message);
        permit.release();
        expect(await told).toBe('the transfer has ended');
        other?.release();
        return permit;
      },
      async () => {
        const permit = await copying(permits, 'ORD', 'DFW');
        jest.advanceTimersByTime(permits.stillMs);
        const other = permits.tryTake(['DFW'], 'backups');
        void permit.moves(1)?.catch(() => {});
        // In this moment it is let in, and has not gone on yet.
        other?.release();
        return permit;
      },
    ];
    for (const until of ending) {
      const permit = await until();
      permit.release();
      await jest.advanceTimersByTimeAsync(permits.stillMs);
      expect(permits.mostFor('DFW', 'backups')).toBe(1);
      expect(permits.tryTake(['DFW'], 'backups')?.release()).toBeUndefined();
    }
  });
});
