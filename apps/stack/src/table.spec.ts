import { describe, expect, it } from '@jest/globals';
import { bar, ends, table } from './table.js';

const columns = [
  { title: 'backup', shorten: ends(4, 2) },
  { title: 'bytes' },
  { title: 'SHA-256', shorten: ends(6, 0) },
];
const rows = [
  ['01a20b63-9f7c', '9,909,078', '6ecda125c812978cd6bf'],
  ['01a20b63-9f7d', '78', ''],
];

describe('a table', () => {
  it('aligns its columns, numbers to the right', () => {
    expect(table(columns, rows, Number.POSITIVE_INFINITY)).toEqual([
      '  backup             bytes  SHA-256',
      '  ─────────────  ─────────  ────────────────────',
      '  01a20b63-9f7c  9,909,078  6ecda125c812978cd6bf',
      '  01a20b63-9f7d         78',
    ]);
  });

  it('shortens no more than it must to fit the terminal', () => {
    expect(table(columns, rows, 48)[2]).toBe('  01a20b63-9f7c  9,909,078  6ecda125c812978cd6bf');
    expect(table(columns, rows, 47)[2]).toBe('  01a2…7c  9,909,078  6ecda125c812978cd6bf');
    expect(table(columns, rows, 30)[2]).toBe('  01a2…7c  9,909,078  6ecda1…');
  });
});

describe('a bar', () => {
  it('is full only when all is done', () => {
    expect(bar(0)).toMatchObject({ full: '', text: '  0 %' });
    expect(bar(99).empty).toHaveLength(1);
    expect(bar(100)).toMatchObject({ empty: '', text: '100 %' });
  });
});
