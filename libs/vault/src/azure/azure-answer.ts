/** What Azure Blob Storage answers when it does not do what it was asked to, read from the errors of its SDK. */
import { retryAfterMs } from '@strongroom/contracts';
import { z } from 'zod';
import { mayPass, type StoreRefusal } from '../object/store-refusal.js';

const sdkError = z.looseObject({
  name: z.string().default(''),
  code: z.string().optional().catch(undefined),
  statusCode: z.number().optional().catch(undefined),
  message: z.string().default(''),
});
const headersForm = z.custom<{ get(name: string): unknown }>((value) => typeof partOf(value, 'get') === 'function');

/** What arrived was not what was sent, and a request that never came to an answer. */
const passing: ReadonlySet<string> = new Set(['Md5Mismatch', 'OperationTimedOut', 'ServerBusy', 'REQUEST_SEND_ERROR']);

/** @param error what the SDK threw */
export function refusalIn(error: unknown): StoreRefusal {
  const found = sdkError.safeParse(plainOf(error));
  if (!found.success) return { code: '', status: undefined, message: String(error), passes: false, waitMs: undefined };
  const { name, statusCode: status, message } = found.data;
  // An answer without a body, as that to HEAD, has its code in a header.
  const code = codeIn(name, found.data.code ?? headerOf(error, 'x-ms-error-code'));
  return {
    code,
    status,
    // Behind the first line are the headers of the answer.
    message: message.split('\n')[0] ?? '',
    passes: passing.has(code) || mayPass(code, status),
    waitMs: retryAfterMs(headerOf(error, 'retry-after'), Date.now()),
  };
}

/** An attempt that was ended by its caller is never read here: what else ended it is a silence. */
function codeIn(name: string, code: string | undefined): string {
  if (name === 'AbortError') return 'TimeoutError';
  if (code === 'PARSE_ERROR') return 'HollowAnswer';
  if (code !== undefined) return code;
  return name === 'RestError' || name === 'Error' ? '' : name;
}

function headerOf(error: unknown, name: string): string | undefined {
  const found = headersForm.safeParse(partOf(partOf(error, 'response'), 'headers'));
  const told = found.success ? found.data.get(name) : undefined;
  return typeof told === 'string' ? told : undefined;
}

/** The fields that an error hides from a walk over it are asked for by name. */
function plainOf(error: unknown): unknown {
  const part = (key: string): unknown => partOf(error, key);
  return { name: part('name'), message: part('message'), code: part('code'), statusCode: part('statusCode') };
}

function partOf(error: unknown, key: string): unknown {
  return typeof error === 'object' && error !== null ? Reflect.get(error, key) : undefined;
}
