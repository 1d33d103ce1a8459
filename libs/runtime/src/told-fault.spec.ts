import { describe, expect, it } from '@jest/globals';
import { Fault } from '@strongroom/contracts';
import { toldFault } from './told-fault.js';

class DiskFault extends Fault<'disk-full'> {
  override readonly name = 'DiskFault';
}

const inTheLog = 'The operator finds why in the log, under [0-9a-f]{8}\\.$';

describe('what an account is told of an error', () => {
  it('is the fault as it is, when nothing in it is ours alone', () => {
    const fault = { code: 'disk-full', message: 'The disk is full.', retryable: true };
    expect(toldFault(new DiskFault('disk-full', true, 'The disk is full.'))).toEqual(fault);
  });

  it('leaves out what only an operator may know, and says under which number the log has it', () => {
    const fault = new DiskFault('disk-full', true, 'The disk at /srv/disk-7 is full.', { told: 'The disk is full.' });
    expect(toldFault(fault).message).toMatch(new RegExp(`^The disk is full\\. ${inTheLog}`));
    expect(toldFault(fault)).toEqual(toldFault(fault));
  });

  it('is nothing of an error that nobody foresaw but its number in the log, which is another one for another error', () => {
    const error = new TypeError('select * from ledger_event: /var/lib is gone');
    expect(toldFault(error)).toMatchObject({ code: 'unexpected', retryable: true });
    expect(toldFault(error).message).toMatch(new RegExp(`^The work broke off unexpectedly\\. ${inTheLog}`));
    expect(toldFault(new TypeError('another')).message).not.toBe(toldFault(error).message);
    expect(toldFault('a text').message).toMatch(new RegExp(inTheLog));
  });
});
