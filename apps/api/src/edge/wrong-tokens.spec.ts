import { describe, expect, it } from '@jest/globals';
import { WrongTokens } from './wrong-tokens.js';

const sent = (count: number, address: string, tokens: WrongTokens) => {
  for (let n = 0; n < count; n += 1) tokens.count(address);
};

describe('wrong tokens', () => {
  it('are counted by address: one that sends too many waits, and no other does', () => {
    const tokens = new WrongTokens({ mostWrongTokens: 3 });
    sent(2, '192.0.2.1', tokens);
    expect(tokens.waitOf('192.0.2.1')).toBeUndefined();
    sent(1, '192.0.2.1', tokens);
    expect(tokens.waitOf('192.0.2.1')).toBeGreaterThan(50);
    expect(tokens.waitOf('192.0.2.2')).toBeUndefined();
  });

  it('are counted by network where an address has many neighbours', () => {
    const tokens = new WrongTokens({ mostWrongTokens: 2 });
    sent(1, '2001:db8:0:1::1', tokens);
    sent(1, '2001:db8::1:ffff:ffff:ffff:ffff', tokens);
    expect(tokens.waitOf('2001:db8:0:1:a:b:c:d')).toBeDefined();
    expect(tokens.waitOf('2001:db8:0:2::1')).toBeUndefined();
    sent(2, '::ffff:192.0.2.1', tokens);
    expect(tokens.waitOf('::ffff:192.0.2.2')).toBeUndefined();
  });

  it('of very many addresses take no more room than those of many', () => {
    const tokens = new WrongTokens({ mostWrongTokens: 1 });
    sent(1, 'first', tokens);
    expect(tokens.waitOf('first')).toBeDefined();
    for (let n = 0; n < 20_000; n += 1) tokens.count(`address ${n}`);
    expect(tokens.waitOf('first')).toBeUndefined();
    expect(tokens.waitOf('address 19999')).toBeDefined();
  });

  it('have no limit when the operator sets none', () => {
    const tokens = new WrongTokens({ mostWrongTokens: 0 });
    sent(10_000, '192.0.2.1', tokens);
    expect(tokens.waitOf('192.0.2.1')).toBeUndefined();
  });
});
