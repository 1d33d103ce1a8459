import { describe, expect, it } from '@jest/globals';
import { outcomeOf } from './trial.js';

const printed = (restored: object) => JSON.stringify({ backups: [], restored });

describe('the trial of a restore', () => {
  it('tells what was read in all databases', () => {
    const databases = [
      { name: 'postgres', tables: [] },
      { name: 'shop', tables: [{ rows: '9007199254740993' }, { rows: '2' }] },
    ];
    const outcome = outcomeOf(printed({ files: 900, started: true, seconds: 2, databases }));
    expect(outcome).toEqual({ tables: 2, rows: 9_007_199_254_740_995n, seconds: 2 });
  });

  it('tells why no server was started, and not that the restore was tried', () => {
    expect(outcomeOf(printed({ files: 900, started: false, why: 'no programs of version 19' }))).toEqual({
      notTested: 'no programs of version 19',
    });
  });
});
