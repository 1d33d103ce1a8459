/** The base of everything that our code throws: a fault has a code from a closed list and tells whether to try again. */
export abstract class Fault<Code extends string = string> extends Error {
  /** The message for those who do not run Strongroom. */
  readonly told: string;

  /** @param options `told` is the message without our own paths, hosts and statements, where `message` has some */
  constructor(
    readonly code: Code,
    readonly retryable: boolean,
    message: string,
    options?: { cause?: unknown; told?: string },
  ) {
    super(printable(message), options);
    this.told = options?.told === undefined ? this.message : printable(options.told);
  }
}

/** Control characters but those of lines, halves of characters, and what turns the direction of writing around. */
const unprintable = /(?![\n\t])[\p{Cc}\p{Cs}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** A text that may quote a stranger, as a database stores it and a terminal shows it. */
export function printable(text: string): string {
  return text.replaceAll(unprintable, '\u{fffd}');
}

/** A value as JSON that a terminal can show: what is not printable is escaped, so a program reads the same value. */
export function printableJson(value: unknown, indent?: number): string {
  const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(value, null, indent).replaceAll(unprintable, escaped);
}

/** A fault as it is recorded and shown. */
export interface ToldFault {
  code: string;
  message: string;
  retryable: boolean;
}

/**
 * Describes an error as a fault, for whoever does not run Strongroom. An error that is no fault was not foreseen, and another attempt may
 * help. `isWhole` says whether nothing was left out.
 */
export function faultOf(error: unknown): ToldFault & { isWhole: boolean } {
  if (!(error instanceof Fault)) {
    return { code: 'unexpected', message: 'The work broke off unexpectedly.', retryable: true, isWhole: false };
  }
  const { code, retryable, told, message } = error;
  return { code, message: told, retryable, isWhole: told === message };
}

/** The message of an error. When a host has several addresses, each fails, and the error that holds their errors has no message. */
export function messageOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error);
  if ('message' in error && error.message !== '') return String(error.message);
  return 'errors' in error && Array.isArray(error.errors) ? error.errors.map(messageOf).join(', ') : String(error);
}

/** Why a request of `fetch` got no answer: it says no more than that itself, and has the reason as its cause. */
export function whyNotFetched(error: unknown): string {
  return isNotFetched(error) ? messageOf(error.cause) : messageOf(error);
}

/** Whether `fetch` got no answer. */
export function isNotFetched(error: unknown): error is { cause: unknown } {
  const isOfFetch = messageOf(error) === 'fetch failed' && typeof error === 'object' && error !== null;
  return isOfFetch && 'cause' in error && error.cause !== undefined;
}
