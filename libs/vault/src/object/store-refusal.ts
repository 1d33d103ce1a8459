/** What a store behind a network answers when it does not do what it was asked to. Each kind reads it from the errors of its SDK. */

export interface StoreRefusal {
  /** The store's own name for it, or that of the system for what broke on the way; empty when there is none. */
  code: string;
  /** Of HTTP; undefined when no answer came. */
  status: number | undefined;
  message: string;
  /** Whether the same request may succeed in a moment. */
  passes: boolean;
  /** How long the store asks to wait, in milliseconds. */
  waitMs: number | undefined;
}

export type RefusalReader = (error: unknown) => StoreRefusal;

/** Thrown for what comes as a success and is none. Another attempt may fare better. */
export class HollowAnswer extends Error {
  override readonly name = 'HollowAnswer';
}

/** What broke on the way, in the system's words. */
const passingOnTheWay: ReadonlySet<string> = new Set([
  'HollowAnswer',
  'TimeoutError',
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
  'ERR_STREAM_PREMATURE_CLOSE',
]);
/** Not implemented, and no room. */
const lasting: ReadonlySet<number> = new Set([501, 507]);

/** What stores say when they are asked for too much, beside 429 and 503. */
const busy: ReadonlySet<string> = new Set([
  'SlowDown',
  'RequestThrottled',
  'RequestLimitExceeded',
  'ThrottlingException',
  'TooManyRequestsException',
  'ServerBusy',
  'OperationTimedOut',
  'rateLimitExceeded',
  'userRateLimitExceeded',
]);

/** Whether the store asks for fewer requests, or can't keep up with them. */
export function isBusy({ code, status }: Pick<StoreRefusal, 'code' | 'status'>): boolean {
  return status === 429 || status === 503 || busy.has(code);
}

/** Whether the way to the store, or the store as a whole, may be well in a moment. */
export function mayPass(code: string, status: number | undefined): boolean {
  if (passingOnTheWay.has(code) || busy.has(code)) return true;
  return status !== undefined && (status === 408 || status === 429 || (status >= 500 && !lasting.has(status)));
}
