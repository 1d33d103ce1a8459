/** Whether the bytes of backups, and the signatures of requests for them, would leave this machine in clear on their way to a vault. */
import { bucketAddress } from '@strongroom/contracts';
import { isLoopbackHost } from './addresses.js';

/** @returns why not, as a clause behind the name of the setting; undefined when nothing would */
export function whyInClear(vaults: ReadonlyMap<string, URL>): string | undefined {
  for (const [region, url] of vaults) {
    const address = bucketAddress(url);
    if (address === undefined || typeof address === 'string' || address.endpoint?.protocol !== 'http:') continue;
    const { hostname } = address.endpoint;
    if (!isLoopbackHost(hostname))
      return `has an endpoint of ${region} by http, and backups would go to ${hostname} in clear; use https, or set STRONGROOM_ALLOW_PLAINTEXT to vaults`;
  }
  return undefined;
}
