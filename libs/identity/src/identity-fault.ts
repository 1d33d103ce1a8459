/** What can break in telling who asks, from a closed list, each saying whether another attempt can help. */
import { Fault } from '@strongroom/contracts';

export const identityFaultCodes = {
  /** The file of tokens can't be read, or is not one. */
  'tokens-file-invalid': false,
  /** Keystone does not answer, or not as Keystone does. */
  'keystone-unavailable': true,
  /** Keystone does not let this service in. */
  'keystone-refused': false,
} as const;

export type IdentityFaultCode = keyof typeof identityFaultCodes;

export class IdentityFault extends Fault<IdentityFaultCode> {
  override readonly name = 'IdentityFault';

  constructor(code: IdentityFaultCode, message: string, options?: { cause?: unknown }) {
    super(code, identityFaultCodes[code], message, options);
  }
}
