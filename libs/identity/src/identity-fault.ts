/** What can break while a caller is identified. Each fault has a code from a closed list, which says whether to try again. */
import { Fault } from '@strongroom/contracts';

export const identityFaultCodes = {
  /** The file of tokens can't be read, or is not in the right form. */
  'tokens-file-invalid': false,
  /** Keystone does not answer, or its answer is not one of Keystone's. */
  'keystone-unavailable': true,
  /** Keystone does not accept this service's own user. */
  'keystone-refused': false,
} as const;

export type IdentityFaultCode = keyof typeof identityFaultCodes;

export class IdentityFault extends Fault<IdentityFaultCode> {
  override readonly name = 'IdentityFault';

  constructor(code: IdentityFaultCode, message: string, options?: { cause?: unknown }) {
    super(code, identityFaultCodes[code], message, options);
  }
}
