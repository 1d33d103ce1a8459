import { expect, it } from '@jest/globals';
import { deadPlaces, type FoundState, oldNames, oldPlace } from './backup-state.js';

const found = (state: Partial<FoundState['state']>, names: string[], seq = 4): FoundState => ({
  seq,
  names,
  state: { format: 'strongroom-state/1', change: '6f1c2b0a-0000-4000-8000-000000000001', attempt: 2, ...state },
});
const sealed = (place: string) => ({ attempt: 1, place });
const names = ['1.1', '2.4', '3.5', 'state.000000000004', '.state.6f1c2b0a-0000-4000-8000-000000000001'];

it('a place is dead when it is neither open nor sealed under a state that is later than itself', () => {
  expect(deadPlaces(found({ open: '2.4' }, names))).toEqual(['1.1']);
  expect(deadPlaces(found({ open: '2.4', sealed: sealed('1.1') }, names))).toEqual([]);
  expect(deadPlaces(found({ gone: true }, names))).toEqual(['1.1', '2.4']);
  // A process that reads a folder while it changes may see the place of an attempt and not its state.
  expect(deadPlaces(found({ gone: true }, names, 0))).toEqual([]);
});

it('what an older version has sealed is dead as soon as something else is, its manifest first', () => {
  const old = ['base.tar.zst', 'manifest.json', ...names];
  expect(oldNames(found({ sealed: sealed('1.1') }, old))).toEqual(['manifest.json', 'base.tar.zst']);
  expect(oldNames(found({ sealed: sealed(oldPlace) }, old))).toEqual([]);
  expect(oldNames(found({}, old, 0))).toEqual([]);
});
