import { describe, expect, it } from '@jest/globals';
import { storable } from './storable.js';

describe('what is appended', () => {
  const stored = (told: unknown): unknown => JSON.parse(storable(JSON.stringify(told)));

  it('is left as it is when a database stores it', () => {
    const told = {
      name: 'a "b" \\u0000 \u{1f600} \u0001\n',
      list: ['\\ud800', '\ufffd'],
      path: 'C:\\\\u0000',
      none: null,
    };
    expect(stored(told)).toEqual(told);
  });

  it('has a mark in place of what it does not store, in names as well', () => {
    expect(stored({ 'a\0': ['b\ud800c\\\0', { d: '\udc00\u{1f600}' }], whole: '\\u0000' })).toEqual({
      'a\ufffd': ['b\ufffdc\\\ufffd', { d: '\ufffd\u{1f600}' }],
      whole: '\\u0000',
    });
  });
});
