import { describe, expect, it } from '@jest/globals';
import { Fault, faultOf, messageOf, printableJson } from './fault.js';

class DiskFault extends Fault<'disk-full' | 'disk-broken'> {
  override readonly name = 'DiskFault';
}

describe('what is told of an error', () => {
  it('is a fault’s own code and message, and whether another attempt can help', () => {
    const cause = new Error('ENOSPC');
    const full = new DiskFault('disk-full', true, 'The disk is full.', { cause });
    const told = { code: 'disk-full', message: 'The disk is full.', retryable: true, isWhole: true };
    expect(faultOf(full)).toEqual(told);
    expect(faultOf(new DiskFault('disk-broken', false, 'The disk is broken.'))).toMatchObject({ retryable: false });
    expect(full).toMatchObject({ name: 'DiskFault', cause });
  });

  it('can be stored and shown, whatever a stranger has said in it', () => {
    const said = 'a\0b\u001b[2Jc\u0085d\ud800e\u202ef\n\tg 🐘';
    const shown = 'a\u{fffd}b\u{fffd}[2Jc\u{fffd}d\u{fffd}e\u{fffd}f\n\tg 🐘';
    expect(faultOf(new DiskFault('disk-broken', false, said)).message).toBe(shown);
    expect(new DiskFault('disk-broken', false, said).message).toBe(shown);
  });

  it('can be shown as JSON too, and is read as it was', () => {
    const said = { 'n\u009b': ['a\0b\u001b[2Jc\u0085\u007fd\ud800e\u202ef\n\tg 🐘'] };
    for (const indent of [undefined, 2]) {
      const shown = printableJson(said, indent);
      expect(shown.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u);
      expect(JSON.parse(shown)).toEqual(said);
    }
  });

  it('is one sentence when nobody foresaw the error, which may be tried again', () => {
    expect(faultOf(new TypeError('select * from ledger_event: /var/lib is gone'))).toEqual({
      code: 'unexpected',
      message: 'The work broke off unexpectedly.',
      retryable: true,
      isWhole: false,
    });
  });

  it('leaves out what only an operator may know', () => {
    const told = 'The disk is full.';
    const fault = new DiskFault('disk-full', true, 'The disk at /srv/disk-7 is full.', { told });
    expect(fault.message).toBe('The disk at /srv/disk-7 is full.');
    expect(faultOf(fault)).toMatchObject({ message: told, isWhole: false });
  });
});

/** As Node throws it when a host has several addresses. */
const manyAddresses = Object.assign(new Error('none'), {
  message: '',
  errors: [new Error('connect ::1'), new Error('connect 127.0.0.1')],
});

describe('the message of what was thrown', () => {
  it.each([
    [new Error('it broke'), 'it broke'],
    ['a text', 'a text'],
    [undefined, 'undefined'],
    [manyAddresses, 'connect ::1, connect 127.0.0.1'],
  ])('%p says %s', (error, message) => {
    expect(messageOf(error)).toBe(message);
  });
});
