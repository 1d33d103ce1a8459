import { describe, expect, it } from '@jest/globals';
import { faultTypes, type Refusal, refusalCodes, refuse } from '@strongroom/contracts';
import { type HttpFault, unlessRefused } from './http-fault.js';

function answerTo(command: Parameters<typeof unlessRefused>[0], refusal: Refusal): HttpFault | undefined {
  try {
    unlessRefused(command, refusal);
  } catch (error) {
    return error as HttpFault;
  }
  return undefined;
}

describe('a refusal', () => {
  it.each(refusalCodes)('is answered as a fault of the contract, in its own words and with its code: %s', (code) => {
    const answer = answerTo('RequestBackup', refuse(code, 'So it is.'));
    expect(faultTypes).toContain(answer?.type);
    expect(answer?.body).toEqual({
      [answer?.type ?? '']: { code: answer?.status, message: 'So it is.', refusal: code },
    });
  });

  it('of a backup that has not completed is a 409 to a server that is to be built from it, and a 422 to all else', () => {
    for (const code of ['backup-not-yet-completed', 'backup-not-completed'] as const) {
      const refusal = refuse(code, 'So it is.');
      expect(answerTo('BuildInstance', refusal)?.status).toBe(409);
      for (const command of ['CopyBackup', 'RequestBackup'] as const)
        expect(answerTo(command, refusal)?.status).toBe(422);
    }
  });

  it('is thrown; any other outcome is given back', () => {
    expect(unlessRefused('CreateSchedule', { events: [] })).toEqual({ events: [] });
  });
});
