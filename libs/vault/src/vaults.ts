/** The vaults of a deployment, opened from its configuration: by region, each of the kind that its URL names. */
import { fileURLToPath } from 'node:url';
import { DirectoryVault } from './directory/directory-vault.js';
import type { Vault } from './vault.js';
import { VaultFault } from './vault-fault.js';

/** By the scheme of the URL. */
const kinds: ReadonlyMap<string, (region: string, url: URL) => Vault> = new Map([
  ['file:', (region: string, url: URL) => new DirectoryVault(region, fileURLToPath(url))],
]);

export class Vaults {
  constructor(private readonly byRegion: ReadonlyMap<string, Vault>) {}

  get regions(): string[] {
    return [...this.byRegion.keys()];
  }

  /** @throws {VaultFault} `vault-misconfigured` when the region has no vault */
  of(region: string): Vault {
    const vault = this.byRegion.get(region);
    if (vault) return vault;
    throw new VaultFault(
      'vault-misconfigured',
      region,
      `Region ${region} has no vault here; there are vaults of ${this.regions.join(', ') || 'no region'}. Name it in STRONGROOM_VAULTS.`,
    );
  }
}

/** @throws {VaultFault} `vault-misconfigured` for a URL that there is no vault for */
export function openVaults(urls: ReadonlyMap<string, URL>): Vaults {
  return new Vaults(new Map([...urls].map(([region, url]) => [region, openVault(region, url)])));
}

function openVault(region: string, url: URL): Vault {
  const open = kinds.get(url.protocol);
  try {
    if (open) return open(region, url);
  } catch (error) {
    throw misconfigured(region, url, error instanceof Error ? error.message : String(error));
  }
  throw misconfigured(region, url, `there are vaults of these kinds: ${[...kinds.keys()].join(', ')}`);
}

function misconfigured(region: string, url: URL, why: string): VaultFault {
  // Without user and password, which the URL of another kind of vault may carry.
  const shown = `${url.protocol}//${url.host}${url.pathname}`;
  return new VaultFault('vault-misconfigured', region, `The vault of ${region} can't be ${shown}: ${why}.`);
}
