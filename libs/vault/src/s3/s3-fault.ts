/** What only a store of S3 says when something is wrong, and what an operator can do about it. */
import type { S3Address } from '@strongroom/contracts';
import { saidIn, type Telling, type ToldStore } from '../object/store-fault.js';
import type { StoreRefusal } from '../object/store-refusal.js';
import { refusalIn } from './s3-answer.js';

const noRoom: ReadonlySet<string> = new Set([
  'QuotaExceeded',
  'XMinioStorageFull',
  'InsufficientStorage',
  'StorageFull',
]);
const wrongKeys: ReadonlySet<string> = new Set([
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'AuthorizationHeaderMalformed',
  'InvalidToken',
  'TokenRefreshRequired',
]);
const wrongRegion: ReadonlySet<string> = new Set(['PermanentRedirect', 'IllegalLocationConstraintException']);

export function toldOf(region: string, address: S3Address): ToldStore {
  const { bucket, prefix, endpoint, credentialsFile } = address;
  const keys = credentialsFile
    ? `the keys in ${credentialsFile}`
    : 'the keys that the SDK finds, in the environment first';
  return {
    region,
    name: `s3://${bucket}/${prefix} at ${endpoint?.origin ?? `AWS in ${address.region}`}`,
    host: endpoint?.hostname ?? 'AWS',
    keys,
    kind: 'S3',
    refusalIn,
    own: (refusal) => ownTelling(refusal, address, keys),
  };
}

/** The store refuses to have something put. @param error what the SDK threw */
export function refusesAccess(error: unknown): boolean {
  const { code, status } = refusalIn(error);
  return status === 403 && (code === 'AccessDenied' || code === 'AllAccessDisabled');
}

function ownTelling(refusal: StoreRefusal, { bucket, region }: S3Address, keys: string): Telling | string | undefined {
  const { code, status } = refusal;
  const said = saidIn(refusal);
  if (noRoom.has(code)) return ['vault-full', `it has no room left (${said}). Make room, or raise its quota`];
  if (code === 'InvalidObjectState')
    return ['object-unreadable', 'the object is in an archive of the store. Have the store restore it'];
  if (code === 'NotImplemented')
    return ['vault-misconfigured', `the store does not know this request (${said}). Use a store that has it`];
  if (isOfLock(refusal))
    return [
      'vault-misconfigured',
      'its bucket has no Object Lock. Make one that has it, or leave lock= out of STRONGROOM_VAULTS',
    ];
  if (code === 'NoSuchBucket') return `there is no bucket ${bucket}. Make it, or mend its name in STRONGROOM_VAULTS`;
  if (code === 'RequestTimeTooSkewed') return 'the clock of this host is wrong, or that of the store. Set it by NTP';
  if (code === 'ExpiredToken') return `its keys have expired. Renew ${keys}`;
  if (wrongRegion.has(code) || status === 301)
    return `the bucket is not in ${region} (${said}). Mend region= in STRONGROOM_VAULTS`;
  if (wrongKeys.has(code)) return `it does not take its keys (${said}). Mend ${keys}, and see that region= is right`;
  if (code === 'CredentialsProviderError')
    return 'there are no keys. Name a file by credentials=, or give the environment some';
  return undefined;
}

function isOfLock({ code, message }: StoreRefusal): boolean {
  return code === 'ObjectLockConfigurationNotFoundError' || (code === 'InvalidRequest' && /lock/i.test(message));
}
