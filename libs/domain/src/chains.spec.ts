import { describe, expect, it } from '@jest/globals';
import { basisOfIncremental, chainAbove, chainBelow, rootsOf } from './chains.js';

/** Two chains: a – b – c with a branch d on a, and e – f. */
const links = [
  { id: 'a', parentId: null },
  { id: 'b', parentId: 'a' },
  { id: 'c', parentId: 'b' },
  { id: 'd', parentId: 'a' },
  { id: 'e', parentId: null },
  { id: 'f', parentId: 'e' },
];

describe('chains', () => {
  it('are deleted from their roots: what is built on a deleted one goes with it', () => {
    expect([...rootsOf(links, new Set(['b', 'c', 'e', 'f']))]).toEqual([
      ['b', 'b'],
      ['c', 'b'],
      ['e', 'e'],
      ['f', 'e'],
    ]);
    // A parent that is not there any more is no root.
    expect([...rootsOf(links.slice(1), new Set(['b', 'd']))]).toEqual([
      ['b', 'b'],
      ['d', 'd'],
    ]);
  });

  it('are what is built on a backup, and what that is built on', () => {
    expect(chainBelow('a', links).map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd']);
    expect(chainBelow('b', links).map(({ id }) => id)).toEqual(['b', 'c']);
    expect(chainAbove('c', links).map(({ id }) => id)).toEqual(['c', 'b', 'a']);
    expect(chainAbove('x', links)).toEqual([]);
  });
});

describe('a run that is planned incremental', () => {
  it('is built on the newest backup that is whole', () => {
    expect(basisOfIncremental({ id: 'a', is: 'whole' })).toEqual({ type: 'incremental', parentId: 'a' });
  });

  it.each([
    ['there is none', undefined, 'nothing-to-build-on', 'no completed backup of the instance'],
    [
      'it is being deleted',
      { id: 'a', is: 'being-deleted' },
      'parent-not-there',
      'backup a, the newest of the instance',
    ],
    ['it can not be read', { id: 'a', is: 'unreadable' }, 'parent-not-there', 'could not be read'],
  ] as const)('is full when %s', (_, newest, ground, says) => {
    expect(basisOfIncremental(newest)).toEqual({
      type: 'full',
      madeFull: { ground, reason: expect.stringContaining(says) },
    });
  });
});
