/** What an S3 store answers when it does not do what it was asked to, read from the errors of the SDK. */
import { z } from 'zod';

export interface S3Refusal {
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

const sdkError = z.looseObject({
  name: z.string().default(''),
  code: z.string().optional().catch(undefined),
  message: z.string().default(''),
  $metadata: z
    .looseObject({ httpStatusCode: z.number().optional(), clockSkewCorrected: z.boolean().optional() })
    .optional(),
  $response: z
    .looseObject({ statusCode: z.number().optional(), headers: z.record(z.string(), z.string()).optional() })
    .optional()
    .catch(undefined),
});

const passingCodes: ReadonlySet<string> = new Set([
  'SlowDown',
  'RequestTimeout',
  'RequestThrottled',
  'ThrottlingException',
  'TooManyRequestsException',
  'InternalError',
  'OperationAborted',
  'ConditionalRequestConflict',
  // What was sent did not arrive as it was.
  'BadDigest',
  'XAmzContentSHA256Mismatch',
  'IncompleteBody',
  // The next request reads the keys again.
  'ExpiredToken',
  // A success that was none: s3-facts.ts.
  'HollowAnswer',
  // What broke on the way, in the system's words and in those of the SDK.
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
/** What the SDK calls an answer that names nothing. */
const hasNoName: ReadonlySet<string> = new Set([
  '',
  'Error',
  'TypeError',
  'SyntaxError',
  'Unknown',
  'UnknownError',
  'NotFound',
]);

/** @param error what the SDK threw */
export function refusalIn(error: unknown): S3Refusal {
  const found = sdkError.safeParse(plainOf(error));
  if (!found.success) return { code: '', status: undefined, message: String(error), passes: false, waitMs: undefined };
  const { name, code: systemCode, message, $metadata, $response } = found.data;
  const status = $metadata?.httpStatusCode ?? $response?.statusCode;
  const code = systemCode ?? wrapped(message) ?? (hasNoName.has(name) ? '' : name);
  const seconds = Number($response?.headers?.['retry-after']);
  return {
    code,
    status,
    message,
    passes: passingCodes.has(code) || doesPass(status) || $metadata?.clockSkewCorrected === true,
    waitMs: seconds > 0 ? seconds * 1_000 : undefined,
  };
}

/** An answer that is no answer of an S3 store, such as the page of a proxy. */
export function isNoAnswerOfS3({ code, status }: S3Refusal): boolean {
  return code === '' && status !== undefined && status < 500;
}

/** The SDK puts an error of another kind than its own into one, and keeps only its words. */
function wrapped(message: string): string | undefined {
  const name = /^AWS SDK error wrapper for (\w+)/.exec(message)?.[1];
  return message.includes('socket hang up') ? 'ECONNRESET' : name;
}

function doesPass(status: number | undefined): boolean {
  return status !== undefined && (status === 408 || status === 429 || (status >= 500 && !lasting.has(status)));
}

/** The fields that the SDK hides from a walk over its errors are asked for by name. */
function plainOf(error: unknown): unknown {
  if (typeof error !== 'object' || error === null) return error;
  const part = (key: string): unknown => Reflect.get(error, key);
  return {
    name: part('name'),
    message: part('message'),
    code: part('code'),
    $metadata: part('$metadata'),
    $response: part('$response'),
  };
}
