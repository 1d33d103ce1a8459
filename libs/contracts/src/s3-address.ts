/** Where a bucket of an S3 store is, as the URL of a vault spells it. What it does not know, it refuses. */

export interface S3Address {
  bucket: string;
  /** What each key begins with. It is empty, or ends with `/`. */
  prefix: string;
  region: string;
  /** The store's address. Undefined for AWS, whose address follows from the region. */
  endpoint: URL | undefined;
  /** Whether the bucket stands in the path of a request, and not in its host. */
  pathStyle: boolean;
  /** A JSON file with `accessKeyId`, `secretAccessKey` and, where there is one, `sessionToken`. */
  credentialsFile: string | undefined;
  /** How the store keeps objects from everybody until a time; undefined when it is not asked to. */
  lock: S3Lock | undefined;
}

export const s3Locks = ['governance', 'compliance'] as const;
export type S3Lock = (typeof s3Locks)[number];

const known = ['endpoint', 'region', 'pathStyle', 'credentials', 'lock'];
const bucketName = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const prefixOfKeys = /^(?:[\w.!*'()-]+\/)*$/;
/** Stores that are not AWS mostly have no regions, and sign with this one. */
const usualRegion = 'us-east-1';

/** @returns the address, or what is wrong with it, as a clause that shows no value of a parameter */
export function s3Address(url: URL): S3Address | string {
  if (url.username || url.password)
    return 'holds a user or a password; its keys belong in a file, which credentials= names';
  if (url.port || url.hash || !bucketName.test(url.hostname)) return 'needs the name of a bucket behind s3://';
  const prefix = prefixIn(url.pathname);
  if (prefix === undefined)
    return "has a prefix with other characters than letters, digits and !-_.*'() between its slashes";
  const names = [...url.searchParams.keys()];
  const stranger = names.find((name) => !known.includes(name));
  if (stranger !== undefined) return `has the parameter ${JSON.stringify(stranger)}; there are ${known.join(', ')}`;
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) return `has the parameter ${twice} twice`;
  return fromParameters(url.hostname, prefix, new Map(url.searchParams));
}

function fromParameters(bucket: string, prefix: string, given: ReadonlyMap<string, string>): S3Address | string {
  const endpoint = endpointIn(given.get('endpoint'));
  if (typeof endpoint === 'string') return endpoint;
  const region = given.get('region') ?? (endpoint ? usualRegion : undefined);
  if (region === undefined)
    return 'needs region=, such as region=eu-central-1, or the endpoint= of another store than AWS';
  if (!/^[\w-]{1,64}$/.test(region)) return 'needs a region= of letters, digits and hyphens';
  const style = given.get('pathStyle');
  if (style !== undefined && style !== 'true' && style !== 'false') return 'needs pathStyle=true or pathStyle=false';
  const credentialsFile = given.get('credentials');
  if (credentialsFile !== undefined && !/^\/[^\0]+$/.test(credentialsFile))
    return 'needs the absolute path of a file behind credentials=';
  const lock = s3Locks.find((each) => each === given.get('lock'));
  if (given.has('lock') && lock === undefined) return `needs lock=${s3Locks.join(' or lock=')}`;
  // A certificate of AWS does not cover a bucket with dots in the host.
  const pathStyle = style === undefined ? endpoint !== undefined || bucket.includes('.') : style === 'true';
  return { bucket, prefix, region, endpoint, pathStyle, credentialsFile, lock };
}

function prefixIn(path: string): string | undefined {
  const plain = path.replace(/^\/|\/$/g, '');
  const prefix = plain === '' ? '' : `${plain}/`;
  const isPlain = prefixOfKeys.test(prefix) && !prefix.split('/').some((part) => part === '.' || part === '..');
  return isPlain ? prefix : undefined;
}

function endpointIn(text: string | undefined): URL | string | undefined {
  if (text === undefined) return undefined;
  const wrong = 'needs an endpoint= like https://s3.example.com, without a path, a user or a password';
  if (!URL.canParse(text)) return wrong;
  const url = new URL(text);
  const isPlain = url.pathname === '/' && !url.search && !url.hash && !url.username && !url.password;
  return isPlain && (url.protocol === 'https:' || url.protocol === 'http:') ? url : wrong;
}
