import { describe, expect, it } from '@jest/globals';
import { isWhereOwed, regionsHolding } from './regions.js';

const copy = (region: string, isCompleted = true) => ({ region, isCompleted });
const served = ['DFW', 'IAD', 'ORD'];

describe('a backup', () => {
  it('is held where it was made and where its copies have completed, and nowhere else', () => {
    expect(regionsHolding({ madeIn: 'DFW', copies: [copy('IAD'), copy('ORD', false)] })).toEqual(['DFW', 'IAD']);
    expect(regionsHolding({ madeIn: null, copies: [] })).toEqual([]);
  });

  it('is not held where it was made when a copy is owed there, until that has completed', () => {
    expect(regionsHolding({ madeIn: 'DFW', copies: [copy('DFW', false), copy('IAD')] })).toEqual(['IAD']);
    expect(regionsHolding({ madeIn: 'DFW', copies: [copy('DFW'), copy('IAD')] })).toEqual(['DFW', 'IAD']);
  });

  it('is where it is owed when every region that counts holds it; the one where it was made counts as holding it', () => {
    const owedTo = (copyTo: string[], copies = [copy('IAD')]) => isWhereOwed({ madeIn: 'DFW', copyTo, copies }, served);
    expect(owedTo([])).toBe(true);
    expect(owedTo(['IAD', 'DFW'])).toBe(true);
    expect(owedTo(['IAD', 'ORD'])).toBe(false);
    expect(owedTo(['DFW'], [copy('DFW', false), copy('IAD')])).toBe(false);
  });

  it('does not wait for a region without a vault, and does not rely on one', () => {
    const copies = [copy('ORD', false)];
    expect(isWhereOwed({ madeIn: 'DFW', copyTo: ['ORD'], copies }, ['DFW', 'IAD'])).toBe(true);
    expect(isWhereOwed({ madeIn: 'DFW', copyTo: [], copies: [] }, ['IAD'])).toBe(false);
    expect(isWhereOwed({ madeIn: 'DFW', copyTo: ['IAD'], copies: [copy('IAD')] }, ['IAD'])).toBe(true);
  });
});
