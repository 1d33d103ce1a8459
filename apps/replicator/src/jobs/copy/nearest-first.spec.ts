import { expect, it } from '@jest/globals';
import { nearestFirst, type SourceChoice } from './nearest-first.js';

const mib = 1_048_576;
const choice: SourceChoice = {
  holding: ['DFW', 'IAD', 'ORD'],
  preferred: [],
  rates: new Map(),
  sizeBytes: 1_024 * mib,
  isAway: () => false,
};

it('a copy comes from the region from which copies have come fastest', () => {
  const rates = new Map([
    ['DFW', 1 * mib],
    ['IAD', 9 * mib],
    ['ORD', 5 * mib],
  ]);
  expect(nearestFirst({ ...choice, rates })).toEqual(['IAD', 'ORD', 'DFW']);
});

it('where nothing is known, the order stays as it is', () => {
  expect(nearestFirst(choice)).toEqual(['DFW', 'IAD', 'ORD']);
  expect(nearestFirst({ ...choice, sizeBytes: 100 * mib })).toEqual(['DFW', 'IAD', 'ORD']);
});

it('a region that was never tried is tried by a copy of moderate size, and not by a large or a tiny one', () => {
  const rates = new Map([['DFW', 9 * mib]]);
  expect(nearestFirst({ ...choice, rates, sizeBytes: 100 * mib })).toEqual(['IAD', 'ORD', 'DFW']);
  expect(nearestFirst({ ...choice, rates, sizeBytes: 1_024 * mib })).toEqual(['DFW', 'IAD', 'ORD']);
  expect(nearestFirst({ ...choice, rates, sizeBytes: mib })).toEqual(['DFW', 'IAD', 'ORD']);
});

it('what the operator prefers goes before what is fast, and what is away goes last', () => {
  const rates = new Map([
    ['DFW', 1 * mib],
    ['IAD', 9 * mib],
    ['ORD', 5 * mib],
  ]);
  const preferred = ['DFW', 'ORD'];
  expect(nearestFirst({ ...choice, rates, preferred })).toEqual(['DFW', 'ORD', 'IAD']);
  expect(nearestFirst({ ...choice, rates, preferred, isAway: (region) => region === 'DFW' })).toEqual([
    'ORD',
    'IAD',
    'DFW',
  ]);
});
