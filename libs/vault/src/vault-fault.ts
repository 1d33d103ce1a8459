/** What can break in a vault. Each fault has a code from a closed list, which says whether another attempt can help. */
import { Fault } from '@strongroom/contracts';

export const vaultFaultCodes = {
  /** The store can't be reached, refuses access, or failed an operation. */
  'vault-unavailable': true,
  /** No space left, or a quota. */
  'vault-full': true,
  /** The configuration names no vault for the region, or a kind of vault that does not exist. */
  'vault-misconfigured': false,
  /** The backup is not there, or an object that its manifest names. */
  'object-missing': false,
  /** The bytes of an object are not those that its manifest tells. */
  'object-altered': false,
  /** The disk fails to give back an object's bytes; another read may succeed. */
  'object-unreadable': true,
  /** Another attempt has taken the place of this one. */
  'upload-superseded': false,
  /** A copy takes longer than the operator allows. */
  'copy-limit-reached': false,
  /** The store keeps the backup until a time, from everybody. It can be removed after that. */
  'object-locked': true,
  /** The manifest can't be parsed. */
  'manifest-invalid': false,
  /** The manifest is as it was sealed, by a newer version. A process of that version can read it. */
  'manifest-newer': true,
} as const;

export type VaultFaultCode = keyof typeof vaultFaultCodes;

const outages: ReadonlySet<string> = new Set<VaultFaultCode>(['vault-unavailable', 'vault-full']);

/** Whether a recorded code says that the whole store was away or full. Such a fault ends with the store's outage. */
export function isOutageOfVault(code: string): boolean {
  return outages.has(code);
}

export class VaultFault extends Fault<VaultFaultCode> {
  override readonly name = 'VaultFault';

  constructor(
    code: VaultFaultCode,
    readonly region: string,
    message: string,
    options?: { cause?: unknown; told?: string },
  ) {
    super(code, vaultFaultCodes[code], message, options);
  }
}

const spoilt: ReadonlySet<VaultFaultCode> = new Set([
  'object-missing',
  'object-altered',
  'object-unreadable',
  'manifest-invalid',
]);

/** Whether what a vault holds of a backup is damaged. Where it can be written again, it is removed and replaced. */
export function isSpoilt(error: unknown): boolean {
  return error instanceof VaultFault && spoilt.has(error.code);
}

/** The vault holds nothing of the backup, so nothing of it is damaged either. */
export class NotHeld extends VaultFault {}

export function notHeld(backupId: string, region: string): NotHeld {
  return new NotHeld(
    'object-missing',
    region,
    `The vault of ${region} does not hold backup ${backupId}. See which regions have it: GET /backups/${backupId}.`,
  );
}
