import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  archive,
  complete,
  copyDone,
  copyOut,
  data,
  error,
  message,
  ready,
  result,
} from '../../../../../test/services/server-messages.js';
import { type CopySink, CopyStream, errorFields, rowValues } from './copy-stream.js';

/** What the stream told, with the parts of a CopyData message joined. */
class Heard implements CopySink {
  readonly all: [string, string][] = [];
  private copy: { kind: string; parts: Buffer[] } = { kind: '', parts: [] };
  mostParts = 0;

  message(type: string, body: Buffer): void {
    this.all.push([type, body.toString('hex')]);
  }
  copyKind(kind: string): void {
    this.copy = { kind, parts: [] };
  }
  copyPart(part: Buffer): void {
    this.copy.parts.push(part);
    this.mostParts = Math.max(this.mostParts, this.copy.parts.length);
  }
  copyMessageEnd(): void {
    this.all.push([`d${this.copy.kind}`, Buffer.concat(this.copy.parts).toString('hex')]);
    this.copy = { kind: '', parts: [] };
  }
}

const payload = randomBytes(1_000);
const whole = Buffer.concat([
  result([['0/2000028', '1']]),
  copyOut(),
  archive('16413.tar'),
  data(payload),
  data(Buffer.alloc(0)),
  archive('base.tar'),
  data(payload),
  copyDone(),
  error('XX000', 'too late'),
  complete('BASE_BACKUP'),
  ready(),
]);

function heard(...chunks: Buffer[]): Heard {
  const sink = new Heard();
  const stream = new CopyStream(sink);
  for (const chunk of chunks) stream.take(chunk);
  return sink;
}

describe('the messages of a server', () => {
  const expected = heard(whole).all;

  it('are all heard, in order, when they come in one chunk', () => {
    expect(expected.map(([type]) => type)).toEqual([
      'T',
      'D',
      'C',
      'H',
      'dn',
      'dd',
      'dd',
      'dn',
      'dd',
      'c',
      'E',
      'C',
      'Z',
    ]);
    expect(expected[5]).toEqual(['dd', payload.toString('hex')]);
    expect(expected[6]).toEqual(['dd', '']);
  });

  it('are the same no matter where a chunk is cut in two', () => {
    for (let at = 0; at <= whole.length; at += 1) {
      expect(heard(whole.subarray(0, at), whole.subarray(at)).all).toEqual(expected);
    }
  });

  it('are the same in chunks of any size, byte by byte too', () => {
    const cut = (size: number) =>
      Array.from({ length: Math.ceil(whole.length / size) }, (_, part) =>
        whole.subarray(part * size, (part + 1) * size),
      );
    expect(heard(...cut(1)).all).toEqual(expected);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: whole.length }), (size) => {
        expect(heard(...cut(size)).all).toEqual(expected);
      }),
    );
  });

  it('of data are passed on as they come, without being held until they are whole', () => {
    const sink = new Heard();
    const stream = new CopyStream(sink);
    const bytes = data(payload);
    for (let at = 0; at < bytes.length; at += 100) stream.take(bytes.subarray(at, at + 100));
    expect(sink.mostParts).toBe(11);
  });

  it('that can not be messages are refused', () => {
    expect(() => heard(Buffer.from('HTTP/1.1 400 Bad Request'))).toThrow(RangeError);
    expect(() => heard(Buffer.from([0x44, 0, 0, 0, 3]))).toThrow('a message of 3 bytes');
  });

  it('give rows with their nulls, and errors by field', () => {
    const row = heard(result([['16413', null, 'ä', '']])).all[1]?.[1] ?? '';
    expect(rowValues(Buffer.from(row, 'hex'))).toEqual(['16413', null, 'ä', '']);
    const { C, M } = errorFields(error('28P01', 'no').subarray(5));
    expect({ C, M }).toEqual({ C: '28P01', M: 'no' });
    expect(errorFields(message('N').subarray(5))).toEqual({});
  });
});
