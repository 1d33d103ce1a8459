import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readJson } from './json-body.js';

const read = (text: string) => readJson(Buffer.from(text));
const refusal = (message: RegExp) =>
  expect.objectContaining({ type: 'badRequest', message: expect.stringMatching(message) });

describe('a body', () => {
  it('is read as the JSON that it is, whatever that is', () => {
    const withoutFloats = fc.json({ maxDepth: 32 }).filter((text) => !/\d[.eE]/.test(text));
    fc.assert(fc.property(withoutFloats, (text) => expect(read(text)).toEqual(JSON.parse(text))));
  });

  it.each(['14.0', '1e1', '1E+2', '-0.0', '14.5'])('with %s in it has a number there, and no integer', (number) => {
    const isNumber = expect.any(Number);
    expect(read(`{"a": [${number}, 14, "${number}"], "b": -1}`)).toEqual({ a: [isNumber, 14, number], b: -1 });
    expect(Number.isInteger(read(number))).toBe(false);
  });

  it('that is empty is no body', () => {
    expect(read('')).toBeUndefined();
  });

  it('may begin with a byte order mark', () => {
    expect(read('\ufeff{}')).toEqual({});
  });

  it.each(['{', '{"a": }', '{"a": 1,}', "{'a': 1}", 'nothing', '{"a": 01}', '\0', '[1] [2]'])(
    'is refused when it is not JSON: %j',
    (text) => expect(() => read(text)).toThrow(refusal(/^The body is not JSON/)),
  );

  it('that is broken is not quoted, for there may be a password in it', () => {
    for (const text of ['{"password": "open sesame"', '{"password": open sesame}', 'open sesame']) {
      expect(() => read(text)).toThrow(expect.not.objectContaining({ message: expect.stringContaining('sesame') }));
    }
  });

  it('is refused when it is not UTF-8', () => {
    for (const bytes of [[0xff], [0x22, 0xc3, 0x22], [0xfe, 0xff, 0x00, 0x7b], [0x22, 0xed, 0xa0, 0x80, 0x22]]) {
      expect(() => readJson(Buffer.from(bytes))).toThrow(refusal(/is not UTF-8/));
    }
  });

  it.each([
    ['{"a": 1, "a": 1}', 'a'],
    ['{"x": {"b": [{"a": 1, "c": {}, "a": 2}]}}', 'a'],
    ['{"hour": 1, "\\u0068our": 2}', 'hour'],
    ['{"": 1, "": 2}', ''],
    ['{"__proto__": 1, "__proto__": 2}', '__proto__'],
    ['{"a\\"b": 1, "a\\"b": 2}', 'a"b'],
  ])('is refused when a name is twice in one object: %s', (text, name) => {
    expect(() => read(text)).toThrow(refusal(/^The body is ambiguous/));
    expect(() => read(text)).toThrow(JSON.stringify(name));
  });

  it.each([
    '{"a": {"a": {"a": 1}}}',
    '[{"a": 1}, {"a": 1}]',
    '{"a": "a", "b": "a", "c": ":{\\"a\\":1,\\"a\\":2}"}',
    '{"\\\\": 1, "a": "\\\\"}',
  ])('may have a name again in another object, and anything in a text: %s', (text) =>
    expect(read(text)).toEqual(JSON.parse(text)),
  );

  it('may be nested 64 deep, and no deeper', () => {
    const lists = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
    const objects = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
    for (const nested of [lists, objects]) {
      expect(read(nested(64))).toEqual(JSON.parse(nested(64)));
      for (const depth of [65, 5_000, 10_000]) {
        expect(() => read(nested(depth))).toThrow(refusal(/^The body is nested more than 64 deep/));
      }
    }
    expect(read(`[${'[],'.repeat(1_000)}{}]`)).toHaveLength(1_001);
    expect(() => read('['.repeat(65_000))).toThrow(refusal(/is not JSON/));
  });
});
