/** What the addresses of buckets have in common, whichever store they are in. What one does not know, it refuses. */

const prefixOfKeys = /^(?:[\w.!*'()-]+\/)*$/;

export const storeLocks = ['governance', 'compliance'] as const;
export type StoreLock = (typeof storeLocks)[number];

/** A URL such as `scheme://bucket/prefix?name=value`, taken apart. */
export interface BucketUrl {
  bucket: string;
  /** What each key begins with. It is empty, or ends with `/`. */
  prefix: string;
  given: ReadonlyMap<string, string>;
}

/** What every store may be told. */
export interface CommonParameters {
  /** The store's address. Undefined for the one that follows from the kind. */
  endpoint: URL | undefined;
  /** A JSON file; undefined where the SDK finds the keys. */
  credentialsFile: string | undefined;
  /** How the store keeps objects from everybody until a time; undefined when it is not asked to. */
  lock: StoreLock | undefined;
}

/** @returns what is wrong, as a clause that shows no value of a parameter */
export function bucketUrl(url: URL, known: readonly string[], bucketName: RegExp): BucketUrl | string {
  if (url.username || url.password)
    return 'holds a user or a password; its keys belong in a file, which credentials= names';
  if (url.port || url.hash || !bucketName.test(url.hostname))
    return `needs the name of a bucket behind ${url.protocol}//`;
  const prefix = prefixIn(url.pathname);
  if (prefix === undefined)
    return "has a prefix with other characters than letters, digits and !-_.*'() between its slashes";
  const names = [...url.searchParams.keys()];
  const stranger = names.find((name) => !known.includes(name));
  if (stranger !== undefined) return `has the parameter ${JSON.stringify(stranger)}; there are ${known.join(', ')}`;
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) return `has the parameter ${twice} twice`;
  return { bucket: url.hostname, prefix, given: new Map(url.searchParams) };
}

/** @returns what is wrong, as a clause that shows no value of a parameter */
export function commonParameters(given: ReadonlyMap<string, string>, example: string): CommonParameters | string {
  const endpoint = endpointIn(given.get('endpoint'), example);
  if (typeof endpoint === 'string') return endpoint;
  const credentialsFile = given.get('credentials');
  if (credentialsFile !== undefined && !/^\/[^\0]+$/.test(credentialsFile))
    return 'needs the absolute path of a file behind credentials=';
  const lock = storeLocks.find((each) => each === given.get('lock'));
  if (given.has('lock') && lock === undefined) return `needs lock=${storeLocks.join(' or lock=')}`;
  return { endpoint, credentialsFile, lock };
}

function prefixIn(path: string): string | undefined {
  const plain = path.replace(/^\/|\/$/g, '');
  const prefix = plain === '' ? '' : `${plain}/`;
  const isPlain = prefixOfKeys.test(prefix) && !prefix.split('/').some((part) => part === '.' || part === '..');
  return isPlain ? prefix : undefined;
}

function endpointIn(text: string | undefined, example: string): URL | string | undefined {
  if (text === undefined) return undefined;
  const wrong = `needs an endpoint= like ${example}, without a path, a user or a password`;
  if (!URL.canParse(text)) return wrong;
  const url = new URL(text);
  const isPlain = url.pathname === '/' && !url.search && !url.hash && !url.username && !url.password;
  return isPlain && (url.protocol === 'https:' || url.protocol === 'http:') ? url : wrong;
}
