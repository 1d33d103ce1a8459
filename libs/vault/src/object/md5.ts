/** Some stores know no better digest than MD5, by which they compare what arrives. Where Node.js has none, they can't be used. */
import { getFips } from 'node:crypto';
import { VaultFault } from '../vault-fault.js';
import type { ToldStore } from './store-fault.js';

/** @throws {VaultFault} `vault-misconfigured` */
export function mustAllowMd5({ region, name, kind }: ToldStore): void {
  if (getFips() === 0) return;
  const message = `The vault of ${region}, ${name}, can't be used: ${kind} compares what arrives by MD5, and this Node.js runs with algorithms of FIPS 140 alone. Use a bucket of S3 or a folder, or a Node.js without --enable-fips.`;
  const told = `The store of the vault of ${region} is not fit for a vault.`;
  throw new VaultFault('vault-misconfigured', region, message, { told });
}
