import { describe, expect, it } from '@jest/globals';
import { copySources, scrubRate, scrubRateOf } from './scrub.js';

const mib = 1_048_576;

describe('the rate of the scrub', () => {
  it('is that of all vaults, and another one where a region is named', () => {
    const rate = scrubRate.form.schema.parse('16, IAD=4,ORD=0');
    expect(['DFW', 'IAD', 'ORD'].map((region) => scrubRateOf(rate, region))).toEqual([16 * mib, 4 * mib, 0]);
  });

  it.each(['', 'IAD=4', '16,IAD', '16,IAD=4,IAD=5', '16,IAD=-1', '16,iad=4', '1.5', '16,IAD=4=5'])(
    'is not %j',
    (text) => {
      expect(scrubRate.form.schema.safeParse(text).success).toBe(false);
    },
  );
});

describe('the order of the sources of copies', () => {
  it('has the regions of each target in their order', () => {
    const order = copySources.form.schema.parse('ORD=IAD>DFW, IAD=ORD');
    expect([...order]).toEqual([
      ['ORD', ['IAD', 'DFW']],
      ['IAD', ['ORD']],
    ]);
  });

  it.each(['', 'ORD', 'ORD=', 'ORD=ORD', 'ORD=IAD>IAD', 'ORD=IAD,ORD=DFW', 'ORD=IAD=DFW', 'ord=IAD'])(
    'is not %j',
    (text) => {
      expect(copySources.form.schema.safeParse(text).success).toBe(false);
    },
  );
});
