/** The vaults of a deployment, opened from its configuration: by region, each of the kind that its URL names. */
import { fileURLToPath } from 'node:url';
import { DirectoryVault } from './directory-vault.js';
import type { Vault } from './vault.js';
import { VaultFault } from './vault-fault.js';

const kinds: Readonly<Record<string, (region: string, url: URL) => Vault>> = {
  'file:': (region, url) => new DirectoryVault(region, fileURLToPath(url)),
};

export class Vaults {
  constructor(private readonly byRegion: ReadonlyMap<string, Vault>) {}

  get regions(): string[] {
    return [...this.byRegion.keys()];
  }

  /** @throws {VaultFault} when the region has no vault */
  of(region: string): Vault {
    const vault = this.byRegion.get(region);
    if (vault) return vault;
    throw new VaultFault(
      'vault-unavailable',
      region,
      `Region ${region} has no vault here. There are: ${this.regions.join(', ')}.`,
    );
  }
}

/** @throws {TypeError} for a URL of a kind that there is no vault for */
export function openVaults(urls: ReadonlyMap<string, URL>): Vaults {
  return new Vaults(
    new Map(
      [...urls].map(([region, url]) => {
        const open = kinds[url.protocol];
        if (!open)
          throw new TypeError(
            `the vault of ${region} is ${url.protocol}…; there are vaults for ${Object.keys(kinds).join(', ')}`,
          );
        return [region, open(region, url)];
      }),
    ),
  );
}
