/** Says what is wrong with an S3 store, and what an operator can do about it. No key and no header is shown. */
import type { S3Address } from '@strongroom/contracts';
import { VaultFault, type VaultFaultCode } from '../vault-fault.js';
import { isNoAnswerOfS3, refusalIn, type S3Refusal } from './s3-answer.js';
import { CredentialsFault } from './s3-credentials.js';

/** Which vault it is, as its faults say it. */
export interface S3Place {
  region: string;
  address: S3Address;
}

type Telling = readonly [code: VaultFaultCode, why: string];

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
const noName: ReadonlySet<string> = new Set(['ENOTFOUND', 'EAI_AGAIN']);

/** @param what such as `put state of …`; it completes `could not …` */
export function s3Fault(error: unknown, { region, address }: S3Place, what: string): VaultFault {
  if (error instanceof VaultFault) return error;
  const [code, why] =
    error instanceof CredentialsFault ? keysMissing(error.message) : tellingOf(refusalIn(error), address);
  return new VaultFault(code, region, `The vault of ${region}, ${storeOf(address)}, could not ${what}: ${why}.`, {
    cause: error,
    told: `The vault of ${region} did not do what it was asked to.`,
  });
}

/** The store refuses to have something put. @param error what the SDK threw */
export function refusesAccess(error: unknown): boolean {
  const { code, status } = refusalIn(error);
  return status === 403 && (code === 'AccessDenied' || code === 'AllAccessDisabled');
}

/** The store, without the parameters of its address. */
export function storeOf({ bucket, prefix, endpoint, region }: S3Address): string {
  return `s3://${bucket}/${prefix} at ${endpoint?.origin ?? `AWS in ${region}`}`;
}

function keysMissing(why: string): Telling {
  return ['vault-unavailable', why];
}

function tellingOf(refusal: S3Refusal, address: S3Address): Telling {
  const { code, status, message } = refusal;
  const said = [status, code].filter((part) => part !== undefined && part !== '').join(' ');
  if (noRoom.has(code) || status === 507)
    return ['vault-full', `it has no room left (${said}). Make room, or raise its quota`];
  if (code === 'InvalidObjectState')
    return ['object-unreadable', 'the object is in an archive of the store. Have the store restore it'];
  if (status === 501 || code === 'NotImplemented')
    return ['vault-misconfigured', `the store does not know this request (${said}). Use a store that has it`];
  if (isOfLock(refusal))
    return [
      'vault-misconfigured',
      'its bucket has no Object Lock. Make one that has it, or leave lock= out of STRONGROOM_VAULTS',
    ];
  return ['vault-unavailable', `${whyAway(refusal, address, said)}${quoted(message, refusal)}`];
}

function whyAway(refusal: S3Refusal, { bucket, endpoint, region, credentialsFile }: S3Address, said: string): string {
  const { code, status } = refusal;
  const keys = credentialsFile
    ? `the keys in ${credentialsFile}`
    : 'the keys that the SDK finds, in the environment first';
  if (code === 'NoSuchBucket') return `there is no bucket ${bucket}. Make it, or mend its name in STRONGROOM_VAULTS`;
  if (code === 'RequestTimeTooSkewed') return 'the clock of this host is wrong, or that of the store. Set it by NTP';
  if (code === 'ExpiredToken') return `its keys have expired. Renew ${keys}`;
  if (wrongRegion.has(code) || status === 301)
    return `the bucket is not in ${region} (${said}). Mend region= in STRONGROOM_VAULTS`;
  if (wrongKeys.has(code)) return `it does not take its keys (${said}). Mend ${keys}, and see that region= is right`;
  if (code === 'CredentialsProviderError')
    return 'there are no keys. Name a file by credentials=, or give the environment some';
  if (status === 401 || status === 403) return `it refuses access (${said}). Allow this to the owner of ${keys}`;
  if (noName.has(code)) return `no address is found for ${endpoint?.hostname ?? 'AWS'}. See that the name is right`;
  if (isOfTls(code)) return `its certificate is not trusted (${code}). Name its authority by NODE_EXTRA_CA_CERTS`;
  if (code === 'HollowAnswer') return `it said that it had done it, and had not: ${refusal.message}`;
  if (code === 'TimeoutError') return 'it was silent for too long. See that it and the network answer';
  if (status === undefined) return `the connection failed${said && ` (${said})`}. See that it and the network answer`;
  if (refusal.passes) return `it fails or asks for fewer requests (${said}). It is tried again`;
  if (isNoAnswerOfS3(refusal)) return `what answers there (${status}) is no S3 store. See that endpoint= is right`;
  return `it refused that (${said})`;
}

function isOfTls(code: string): boolean {
  return /CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code);
}

function isOfLock({ code, message }: S3Refusal): boolean {
  return code === 'ObjectLockConfigurationNotFoundError' || (code === 'InvalidRequest' && /lock/i.test(message));
}

/** The store's own words, where it has some. They may be of a stranger, so they are kept short. */
function quoted(message: string, { status, code }: S3Refusal): string {
  const words = message
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(0, 160);
  if (status === undefined || words === '' || words === code || /^Unknown/.test(words)) return '';
  return `. It says: ${JSON.stringify(words)}`;
}
