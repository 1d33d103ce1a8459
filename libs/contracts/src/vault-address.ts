/** Which kinds of vaults have an address that is more than a folder, and how each is read. */
import { azureAddress } from './azure-address.js';
import { gcsAddress } from './gcs-address.js';
import type { CommonParameters } from './object-store-address.js';
import { s3Address } from './s3-address.js';

const readers: ReadonlyMap<string, (url: URL) => CommonParameters | string> = new Map<
  string,
  (url: URL) => CommonParameters | string
>([
  ['s3:', s3Address],
  ['gs:', gcsAddress],
  ['az:', azureAddress],
]);

/** @returns what is wrong with it, as a clause that shows no value of a parameter; undefined for the address of a folder */
export function bucketAddress(url: URL): CommonParameters | string | undefined {
  return readers.get(url.protocol)?.(url);
}
