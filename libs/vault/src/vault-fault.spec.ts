import { describe, expect, it } from '@jest/globals';
import { isOutageOfVault, isSpoilt, VaultFault, type VaultFaultCode, vaultFaultCodes } from './vault-fault.js';

describe('a fault of a vault', () => {
  const codes = Object.keys(vaultFaultCodes) as VaultFaultCode[];

  it('is an outage only where the store as a whole is away or full: nobody waits for a bad sector as for a region', () => {
    expect(codes.filter(isOutageOfVault)).toEqual(['vault-unavailable', 'vault-full']);
  });

  it('means a damaged backup only where the stored bytes are wrong', () => {
    const spoilt = codes.filter((code) => isSpoilt(new VaultFault(code, 'IAD', 'It went wrong.')));
    expect(spoilt).toEqual(['object-missing', 'object-altered', 'object-unreadable', 'manifest-invalid']);
    expect(isSpoilt(new Error('of something else'))).toBe(false);
  });
});
