import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { z } from 'zod';
import { readJson } from './json-body.js';
import { parseBody } from './parse.js';

const read = (text: string) => readJson(Buffer.from(text));
const refusal = (message: RegExp) =>
  expect.objectContaining({ type: 'badRequest', message: expect.stringMatching(message) });

const names = (count: number) => Array.from({ length: count }, (_, n) => `"${n}":0`).join();

describe('a body', () => {
  it('is read as the JSON that it is, whatever that is', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 32 }), (text) => {
        fc.pre((text.match(/[,[{]/g) ?? []).length <= 512);
        expect(read(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  describe.each(['14.0', '1e1', '1E+2', '-0.0'])('with %s in it', (number) => {
    const schema = z.strictObject({
      hour: z.int({ error: 'must be an integer' }).optional(),
      ratio: z.number().optional(),
    });

    it('has no integer there', () => {
      const told = refusal(/^hour: must be an integer\.$/);
      expect(() => parseBody(schema, read(`{"hour": ${number}}`))).toThrow(told);
      expect(() => parseBody(schema, read(`{"hour": ${number}, "ratio": 0.5}`))).toThrow(told);
      expect(() => parseBody(z.looseObject({ on: z.literal(Number(number)) }), read(`{"on": ${number}}`))).toThrow(
        refusal(/^on: must be/),
      );
    });

    it('has that very number where decimals are taken, whatever their range', () => {
      const decimal = Number(number);
      expect(parseBody(schema, read(`{"ratio": ${number}, "hour": 14}`))).toEqual({ ratio: decimal, hour: 14 });
      const inRange = z.looseObject({ ratio: z.number().min(decimal).max(decimal) });
      expect(parseBody(inRange, read(`{"ratio": ${number}}`))).toEqual({ ratio: decimal });
    });

    it('is read as any JSON is', () => {
      const text = `{"a": [${number}, 14, "${number}"], "b": -1}`;
      expect(read(text)).toEqual(JSON.parse(text));
    });
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
    ['{"a\\\\": 1, "b": "\\\\\\"", "a\\\\": 2}', 'a\\'],
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

  it('has no name twice, however odd its names and texts are', () => {
    const odd = fc.string({ unit: fc.constantFrom('"', '\\', ':', '{', '}', '[', ']', ',', 'a', '\n') });
    const objects = fc.letrec<{ any: unknown }>((tie) => ({
      any: fc.oneof({ depthSize: 'small' }, odd, fc.dictionary(odd, tie('any')), fc.array(tie('any'))),
    }));
    fc.assert(
      fc.property(objects.any, odd, odd, (value, name, other) => {
        const text = JSON.stringify([value, value]);
        // A few of them have more values than a body may have.
        fc.pre((text.match(/[,[{]/g) ?? []).length < 200);
        expect(read(text)).toEqual(JSON.parse(text));
        const [quoted, others] = [JSON.stringify(name), JSON.stringify(`${other}.`)];
        const twice = `{${quoted}:${text},${others}:${text},${quoted}:1}`;
        if (name !== `${other}.`) expect(() => read(twice)).toThrow(refusal(/is there twice in one object/));
      }),
    );
  });

  it('may be nested 64 deep, and no deeper', () => {
    const lists = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
    const objects = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
    for (const nested of [lists, objects]) {
      expect(read(nested(64))).toEqual(JSON.parse(nested(64)));
      for (const depth of [65, 500]) {
        expect(() => read(nested(depth))).toThrow(refusal(/^The body is nested more than 64 deep/));
      }
    }
    expect(read(`[${'[],'.repeat(200)}{}]`)).toHaveLength(201);
    expect(() => read('['.repeat(400))).toThrow(refusal(/is not JSON/));
  });

  it.each([
    ['many small values', `[${'0,'.repeat(511)}0]`, `[${'0,'.repeat(512)}0]`],
    ['many names', `{${names(512)}}`, `{${names(513)}}`],
    ['many lists', `[${'[],'.repeat(255)}[]]`, `[${'[],'.repeat(256)}[]]`],
  ])('has no more of %s than any request has', (_, taken, refused) => {
    expect(read(taken)).toEqual(JSON.parse(taken));
    expect(() => read(refused)).toThrow(refusal(/^The body has more than 512 commas and opening brackets/));
  });

  it('may have any number of commas and brackets in a text', () => {
    const text = JSON.stringify({ a: `",[{\\",${',[{'.repeat(1_000)}`, b: 1 });
    expect(read(text)).toEqual(JSON.parse(text));
    expect(() => read(`{"a": "${',[{'.repeat(1_000)}`)).toThrow(refusal(/is not JSON/));
  });

  it('is refused for what is many before anything is made of it', () => {
    for (const text of ['['.repeat(65_000), '[0,'.repeat(10_000)])
      expect(() => read(text)).toThrow(refusal(/more than 512/));
  });
});
