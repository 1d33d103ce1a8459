import { describe, expect, it } from '@jest/globals';
import { TransferPlaces } from './transfer-places.js';

const { signal } = new AbortController();
const settled = () => new Promise(setImmediate);

describe('transfers in one vault', () => {
  it('are as many as want to be where there is no limit', () => {
    const places = new TransferPlaces(new Map([['ORD', 1]]));
    for (let count = 0; count < 100; count += 1) expect(places.tryTake(['DFW'], 'backups')).toBeDefined();
    expect(places.mostFor('DFW', 'backups')).toBe(Number.POSITIVE_INFINITY);
  });

  it('are never more than the limit, whatever they are, and one kind leaves a place to the others', () => {
    const places = new TransferPlaces(new Map([['DFW', 3]]));
    const first = places.tryTake(['DFW'], 'backups');
    expect(places.tryTake(['DFW'], 'backups')).toBeDefined();
    expect(places.tryTake(['DFW'], 'backups')).toBeUndefined();
    expect(places.tryTake(['DFW'], 'scrub')).toBeDefined();
    expect(places.tryTake(['DFW'], 'copies to ORD')).toBeUndefined();
    expect(places.mostFor('DFW', 'backups')).toBe(2);
    expect(places.mostFor('DFW', 'copies to ORD')).toBe(0);
    first?.release();
    first?.release();
    expect(places.mostFor('DFW', 'copies to ORD')).toBe(1);
    expect(places.tryTake(['DFW'], 'copies to ORD')).toBeDefined();
    expect(places.tryTake(['DFW'], 'scrub')).toBeUndefined();
  });

  it('are begun in the order in which they came', async () => {
    const places = new TransferPlaces(new Map([['DFW', 1]]));
    const first = places.tryTake(['DFW'], 'backups');
    const begun: string[] = [];
    const wants = async (by: string) => {
      const place = await places.take(['DFW'], by, signal);
      begun.push(by);
      place.release();
    };
    const all = Promise.all(['scrub', 'copies to ORD', 'backups'].map(wants));
    await settled();
    expect(begun).toEqual([]);
    first?.release();
    await all;
    expect(begun).toEqual(['scrub', 'copies to ORD', 'backups']);
  });

  it('that need each other’s vault do not wait for each other for ever', async () => {
    const places = new TransferPlaces(
      new Map([
        ['IAD', 1],
        ['ORD', 1],
      ]),
    );
    const toOrd = places.tryTake(['ORD'], 'copies to ORD');
    const toIad = places.tryTake(['IAD'], 'copies to IAD');
    const done: string[] = [];
    const ordFromIad = toOrd?.also('IAD', signal).then(() => done.push('to ORD'));
    const iadFromOrd = toIad?.also('ORD', signal).then(() => done.push('to IAD'));
    await settled();
    expect(done).toHaveLength(1);
    (done[0] === 'to ORD' ? toOrd : toIad)?.release();
    await Promise.all([ordFromIad, iadFromOrd]);
    expect(done).toHaveLength(2);
  });

  it('pass from one source to the next, and keep no place in the one before', async () => {
    const places = new TransferPlaces(
      new Map([
        ['DFW', 2],
        ['IAD', 2],
      ]),
    );
    const place = places.tryTake(['ORD'], 'copies to ORD');
    await place?.also('DFW', signal);
    expect(places.mostFor('DFW', 'backups')).toBe(1);
    await place?.also('IAD', signal);
    expect([places.mostFor('DFW', 'scrub'), places.mostFor('IAD', 'scrub')]).toEqual([1, 1]);
    expect(places.tryTake(['DFW'], 'copies to ORD')).toBeDefined();
    place?.release();
    expect(places.tryTake(['IAD'], 'copies to ORD')).toBeDefined();
  });

  it('that are given up while they wait hold nothing', async () => {
    const places = new TransferPlaces(new Map([['DFW', 1]]));
    const first = places.tryTake(['DFW'], 'backups');
    const ending = new AbortController();
    const waiting = places.take(['DFW'], 'scrub', ending.signal);
    ending.abort(new Error('the process is stopping'));
    await expect(waiting).rejects.toThrow('the process is stopping');
    first?.release();
    expect(places.tryTake(['DFW'], 'backups')).toBeDefined();
  });
});
