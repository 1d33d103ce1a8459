import { describe, expect, it } from '@jest/globals';
import { openVaults } from './vaults.js';

const urls = (entries: Record<string, string>) =>
  new Map(Object.entries(entries).map(([region, url]) => [region, new URL(url)]));

describe('the vaults of a deployment', () => {
  it('are opened by region', () => {
    const vaults = openVaults(urls({ DFW: 'file:///vaults/DFW', IAD: 'file:///vaults/with%20space' }));
    expect(vaults.regions).toEqual(['DFW', 'IAD']);
    expect(vaults.of('IAD').region).toBe('IAD');
  });

  it('say which regions there are when a region without a vault is asked for', () => {
    expect(() => openVaults(urls({ DFW: 'file:///vaults/DFW' })).of('ORD')).toThrow(
      'Region ORD has no vault here; there are vaults of DFW. Name it in STRONGROOM_VAULTS.',
    );
  });

  it.each([
    ['an unknown kind', 'gopher://user:secret@bucket/prefix', /there are vaults of these kinds: .*\bfile:/],
    ['a folder of objects without a path of its own', 'objects://vaults/IAD', /the path of its folder must begin/],
    ['a file on another host', 'file://host/vaults', 'File URL host'],
  ])('can not be opened from %s, and the message keeps secrets', (_, url, why) => {
    expect(() => openVaults(urls({ IAD: url }))).toThrow(why);
    expect(() => openVaults(urls({ IAD: url }))).toThrow(expect.objectContaining({ code: 'vault-misconfigured' }));
    expect(() => openVaults(urls({ IAD: url }))).not.toThrow(/secret/);
  });
});
