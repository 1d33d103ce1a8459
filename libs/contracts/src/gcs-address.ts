/** Where a bucket of Google Cloud Storage is, as the URL of a vault spells it. What it does not know, it refuses. */
import { bucketUrl, type CommonParameters, commonParameters } from './object-store-address.js';

/** The file is one of Google's own: the key of a service account, or what names a federated identity. */
export interface GcsAddress extends CommonParameters {
  bucket: string;
  /** What each key begins with. It is empty, or ends with `/`. */
  prefix: string;
  /** Whether requests go without a token, as to an emulator. */
  anonymous: boolean;
}

const known = ['endpoint', 'credentials', 'lock'];
const bucketName = /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/;

/** @returns the address, or what is wrong with it, as a clause that shows no value of a parameter */
export function gcsAddress(url: URL): GcsAddress | string {
  const found = bucketUrl(url, known, bucketName);
  if (typeof found === 'string') return found;
  const { bucket, prefix, given } = found;
  const anonymous = given.get('credentials') === 'none';
  if (anonymous && !given.has('endpoint')) return 'needs an endpoint= where it has credentials=none';
  const rest = new Map([...given].filter(([name]) => !(anonymous && name === 'credentials')));
  const common = commonParameters(rest, 'https://storage.example.com');
  return typeof common === 'string' ? common : { ...common, bucket, prefix, anonymous };
}
