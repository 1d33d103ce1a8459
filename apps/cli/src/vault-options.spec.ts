import { afterEach, describe, expect, it } from '@jest/globals';
import { vaultOf } from './vault-options.js';

describe('the vault that a command reads', () => {
  const before = process.env.STRONGROOM_VAULTS;
  afterEach(() => {
    if (before === undefined) delete process.env.STRONGROOM_VAULTS;
    else process.env.STRONGROOM_VAULTS = before;
  });

  it('is not guessed when --vault names its region twice', () => {
    const vault = ['IAD=file:///one', 'IAD=file:///other'];
    expect(() => vaultOf({ from: 'IAD', vault })).toThrow('--vault must name each region once, and names IAD twice');
  });

  it('is not guessed when STRONGROOM_VAULTS names its region twice, and the addresses are not shown', () => {
    process.env.STRONGROOM_VAULTS = 'DFW=file:///a, IAD=file:///secret-one,IAD=file:///secret-other';
    const read = () => vaultOf({ from: 'IAD', vault: [] });
    expect(read).toThrow('STRONGROOM_VAULTS must name each region once, and names IAD twice');
    expect(read).not.toThrow('secret');
  });

  it('is not looked for in a list of another form', () => {
    process.env.STRONGROOM_VAULTS = 'IAD=nowhere';
    expect(() => vaultOf({ from: 'IAD', vault: [] })).toThrow('STRONGROOM_VAULTS must be like DFW=file:///');
  });
});
