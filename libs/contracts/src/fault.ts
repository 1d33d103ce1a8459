/** What breaks is thrown as a fault: it has a code from a closed list, and it says whether another attempt can help. */
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

/** What is thrown and is no fault was not foreseen: nobody knows that another attempt can't help. */
export function faultOf(error: unknown): ToldFault {
  if (error instanceof Fault) return { code: error.code, message: error.message, retryable: error.retryable };
  return {
    code: 'unexpected',
    message: `The work broke off unexpectedly: ${messageOf(error)}.`,
    retryable: true,
  };
}

/** A host with several addresses fails with one error for each of them, in an error that says nothing itself. */
export function messageOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error);
  if ('message' in error && error.message !== '') return String(error.message);
  return 'errors' in error && Array.isArray(error.errors) ? error.errors.map(messageOf).join(', ') : String(error);
}
