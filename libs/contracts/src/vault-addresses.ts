/** Where the vaults of the regions are, as the services' environment and the command line spell it. */
import { regionName } from './primitives.js';
import { bucketAddress } from './vault-address.js';

export const vaultsForm = 'like DFW=file:///var/lib/strongroom/DFW,IAD=file:///var/lib/strongroom/IAD';

/**
 * Reads entries such as `DFW=file:///vaults/DFW`.
 * @returns the vault of each region, or what is wrong, as a text that begins with `must` and shows no address
 */
export function vaultAddresses(entries: readonly string[]): Map<string, URL> | string {
  const found = new Map<string, URL>();
  for (const entry of entries) {
    const [, region = '', address = ''] = /^([^=]*)=(.*)$/.exec(entry.trim()) ?? [];
    if (!regionName.safeParse(region).success || !URL.canParse(address)) return `must be ${vaultsForm}`;
    if (found.has(region)) return `must name each region once, and names ${region} twice`;
    const url = new URL(address);
    const wrong = bucketAddress(url);
    if (typeof wrong === 'string') return `must give each region a right address, and that of ${region} ${wrong}`;
    found.set(region, url);
  }
  return found;
}
