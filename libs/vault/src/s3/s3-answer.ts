/** What an S3 store answers when it does not do what it was asked to, read from the errors of the SDK. */
import { retryAfterMs } from '@strongroom/contracts';
import { z } from 'zod';
import { mayPass, type StoreRefusal } from '../object/store-refusal.js';

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
]);
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
export function refusalIn(error: unknown): StoreRefusal {
  const found = sdkError.safeParse(plainOf(error));
  if (!found.success) return { code: '', status: undefined, message: String(error), passes: false, waitMs: undefined };
  const { name, code: systemCode, message, $metadata, $response } = found.data;
  const status = $metadata?.httpStatusCode ?? $response?.statusCode;
  const code = systemCode ?? wrapped(message) ?? (hasNoName.has(name) ? '' : name);
  return {
    code,
    status,
    message,
    passes: passingCodes.has(code) || mayPass(code, status) || $metadata?.clockSkewCorrected === true,
    waitMs: retryAfterMs($response?.headers?.['retry-after'], Date.now()),
  };
}

/** The SDK puts an error of another kind than its own into one, and keeps only its words. */
function wrapped(message: string): string | undefined {
  const name = /^AWS SDK error wrapper for (\w+)/.exec(message)?.[1];
  return message.includes('socket hang up') ? 'ECONNRESET' : name;
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
