/** The base of everything that our code throws: a fault has a code from a closed list and tells whether to try again. */
export abstract class Fault<Code extends string = string> extends Error {
  constructor(
    readonly code: Code,
    readonly retryable: boolean,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** A fault as it is recorded and shown. */
export interface ToldFault {
  code: string;
  message: string;
  retryable: boolean;
}

/** Describes an error as a fault. An error that is no fault was not foreseen, and another attempt may help. */
export function faultOf(error: unknown): ToldFault {
  if (error instanceof Fault) return { code: error.code, message: error.message, retryable: error.retryable };
  return {
    code: 'unexpected',
    message: `The work broke off unexpectedly: ${messageOf(error)}.`,
    retryable: true,
  };
}

/** The message of an error. When a host has several addresses, each fails, and the error that holds their errors has no message. */
export function messageOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error);
  if ('message' in error && error.message !== '') return String(error.message);
  return 'errors' in error && Array.isArray(error.errors) ? error.errors.map(messageOf).join(', ') : String(error);
}
