/** Where a container of Azure Blob Storage is, as the URL of a vault spells it. What it does not know, it refuses. */
import { bucketUrl, type CommonParameters, commonParameters } from './object-store-address.js';

/** The file has `accountKey` or `sasToken`. */
export interface AzureAddress extends CommonParameters {
  /** The container. */
  bucket: string;
  /** What each name begins with. It is empty, or ends with `/`. */
  prefix: string;
  account: string;
}

const known = ['account', 'endpoint', 'credentials', 'lock'];
const containerName = /^(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/;

/** @returns the address, or what is wrong with it, as a clause that shows no value of a parameter */
export function azureAddress(url: URL): AzureAddress | string {
  const found = bucketUrl(url, known, containerName);
  if (typeof found === 'string') return found;
  const { bucket, prefix, given } = found;
  const account = given.get('account');
  if (account === undefined || !/^[a-z0-9]{3,24}$/.test(account))
    return 'needs the account= of its container, of 3 to 24 small letters and digits';
  const common = commonParameters(given, 'https://blobs.example.com');
  return typeof common === 'string' ? common : { ...common, bucket, prefix, account };
}
