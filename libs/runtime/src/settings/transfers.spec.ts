import { describe, expect, it } from '@jest/globals';
import { environment, problemsOf } from '../../fixtures/configuration.js';
import { loadConfig } from '../config.js';

describe('how much is transferred', () => {
  it('is read as it is written, by name', () => {
    const { transferLimits, transfersAtATime } = loadConfig('replicator', {
      ...environment,
      STRONGROOM_TRANSFER_LIMITS: 'ORD=20, DFW:ORD=12.5,process=100',
      STRONGROOM_TRANSFERS_AT_A_TIME: 'ORD=4, DFW=1000',
    });
    const expected = { ORD: 20_971_520, 'DFW:ORD': 13_107_200, process: 104_857_600 };
    expect(Object.fromEntries(transferLimits)).toEqual(expected);
    expect(Object.fromEntries(transfersAtATime)).toEqual({ ORD: 4, DFW: 1_000 });
  });

  it.each(['ORD', 'ORD=', 'ORD=0', 'ORD=x', 'ORD=1=2', 'ORD=1,ORD=2', 'DFW:ORD:IAD=1', 'ORD=1,', 'a b=1'])(
    'is refused where a name or a number is none: %j',
    (text) => {
      for (const name of ['STRONGROOM_TRANSFER_LIMITS', 'STRONGROOM_TRANSFERS_AT_A_TIME'])
        expect(problemsOf('replicator', { ...environment, [name]: text })).toHaveProperty(name);
    },
  );

  it.each(['ORD=1001', 'ORD=0.5', 'DFW:ORD=2', 'process=2'])(
    'has no such number of transfers at a time: %j',
    (text) => {
      expect(problemsOf('replicator', { ...environment, STRONGROOM_TRANSFERS_AT_A_TIME: text })).toHaveProperty(
        'STRONGROOM_TRANSFERS_AT_A_TIME',
      );
    },
  );
});
