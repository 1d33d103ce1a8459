/** Where a bucket of an S3 store is, as the URL of a vault spells it. What it does not know, it refuses. */
import { bucketUrl, type CommonParameters, commonParameters } from './object-store-address.js';

/** `endpoint` is undefined for AWS, whose address follows from the region. The file has `accessKeyId`, `secretAccessKey`, and may have `sessionToken`. */
export interface S3Address extends CommonParameters {
  bucket: string;
  /** What each key begins with. It is empty, or ends with `/`. */
  prefix: string;
  region: string;
  /** Whether the bucket stands in the path of a request, and not in its host. */
  pathStyle: boolean;
}

const known = ['endpoint', 'region', 'pathStyle', 'credentials', 'lock'];
const bucketName = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
/** Stores that are not AWS mostly have no regions, and sign with this one. */
const usualRegion = 'us-east-1';

/** @returns the address, or what is wrong with it, as a clause that shows no value of a parameter */
export function s3Address(url: URL): S3Address | string {
  const found = bucketUrl(url, known, bucketName);
  if (typeof found === 'string') return found;
  const { bucket, prefix, given } = found;
  const common = commonParameters(given, 'https://s3.example.com');
  if (typeof common === 'string') return common;
  const { endpoint } = common;
  const region = given.get('region') ?? (endpoint ? usualRegion : undefined);
  if (region === undefined)
    return 'needs region=, such as region=eu-central-1, or the endpoint= of another store than AWS';
  if (!/^[\w-]{1,64}$/.test(region)) return 'needs a region= of letters, digits and hyphens';
  const style = given.get('pathStyle');
  if (style !== undefined && style !== 'true' && style !== 'false') return 'needs pathStyle=true or pathStyle=false';
  // A certificate of AWS does not cover a bucket with dots in the host.
  const pathStyle = style === undefined ? endpoint !== undefined || bucket.includes('.') : style === 'true';
  return { ...common, bucket, prefix, region, pathStyle };
}
