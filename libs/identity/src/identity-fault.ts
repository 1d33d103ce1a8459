/** What can break in telling who asks, from a closed list, each saying whether another attempt can help. */
export const identityFaultCodes = {
  /** The file of tokens can't be read, or is not one. */
  'tokens-file-invalid': false,
  /** Keystone does not answer, or not as Keystone does. */
  'keystone-unavailable': true,
  /** Keystone does not let this service in. */
  'keystone-refused': false,
} as const;

export type IdentityFaultCode = keyof typeof identityFaultCodes;

export class IdentityFault extends Error {
  override readonly name = 'IdentityFault';
  readonly retryable: boolean;

  constructor(
    readonly code: IdentityFaultCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.retryable = identityFaultCodes[code];
  }
}
