/** What can break in a vault, from a closed list, each saying whether another attempt can help. */
import { Fault } from '@strongroom/contracts';

export const vaultFaultCodes = {
  /** The store can't be reached, refuses access, or failed an operation. */
  'vault-unavailable': true,
  /** No space left, or a quota. */
  'vault-full': true,
  /** The configuration names no vault of the region, or one of a kind that there is none of. */
  'vault-misconfigured': false,
  /** The backup, or an object its manifest names, is not there. */
  'object-missing': false,
  /** An object's bytes are not those of its manifest. */
  'object-altered': false,
  /** The disk fails to give back an object's bytes; another read may succeed. */
  'object-unreadable': true,
  /** Another attempt has taken this one's place. */
  'upload-superseded': false,
  /** The manifest can't be read as one. */
  'manifest-invalid': false,
} as const;

export type VaultFaultCode = keyof typeof vaultFaultCodes;

const outages: ReadonlySet<string> = new Set<VaultFaultCode>(['vault-unavailable', 'vault-full']);

/** Whether a fault of that code, as it was recorded, is of the store as a whole: it passes with the store's outage. */
export function isOutageOfVault(code: string): boolean {
  return outages.has(code);
}

export class VaultFault extends Fault<VaultFaultCode> {
  override readonly name = 'VaultFault';

  constructor(
    code: VaultFaultCode,
    readonly region: string,
    message: string,
    options?: { cause?: unknown },
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

/** Whether what a vault holds is no good: where it can be made anew, it is removed and written again. */
export function isSpoilt(error: unknown): boolean {
  return error instanceof VaultFault && spoilt.has(error.code);
}

export function notHeld(backupId: string, region: string): VaultFault {
  return new VaultFault(
    'object-missing',
    region,
    `The vault of ${region} does not hold backup ${backupId}. See which regions have it: GET /backups/${backupId}.`,
  );
}
