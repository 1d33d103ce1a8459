/** Requests to the JSON API of Google Cloud Storage: one attempt each, that ends with the caller's signal. */

import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { text } from 'node:stream/consumers';
import { retryAfterMs } from '@strongroom/contracts';
import { z } from 'zod';
import { mayPass, type StoreRefusal } from '../object/store-refusal.js';

/** The store has answered, and not done it. */
export class GcsRefusal extends Error {
  override readonly name = 'GcsRefusal';

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly waitMs: number | undefined,
  ) {
    super(message);
  }
}

export interface GcsRequest {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Behind the origin. */
  path: string;
  headers?: Record<string, string>;
  body?: readonly Buffer[];
}

/** Gives the headers that sign a request. */
export type Signing = () => Promise<Record<string, string>>;

const refusal = z.looseObject({
  error: z.looseObject({
    message: z.string().default(''),
    errors: z.array(z.looseObject({ reason: z.string().optional() })).optional(),
  }),
});

export class GcsConnection {
  private readonly agent;
  private readonly send;

  constructor(
    private readonly origin: URL,
    private readonly silentMs: number,
    private readonly signing: Signing,
  ) {
    const isTls = origin.protocol === 'https:';
    this.agent = isTls ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
    this.send = isTls ? httpsRequest : httpRequest;
  }

  /** @returns the answer, whose body the caller reads or destroys. @throws {GcsRefusal}, and what broke on the way */
  async ask({ method, path, headers = {}, body = [] }: GcsRequest, signal: AbortSignal): Promise<IncomingMessage> {
    const signed = await this.signing();
    const length = body.reduce((sum, part) => sum + part.length, 0);
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const asked = this.send(new URL(path, this.origin), {
        method,
        agent: this.agent,
        signal,
        timeout: this.silentMs,
        headers: { ...headers, ...signed, ...(method !== 'GET' && { 'content-length': length }) },
      });
      asked.once('timeout', () => asked.destroy(Object.assign(new Error('it was silent'), { code: 'TimeoutError' })));
      asked.once('error', reject);
      asked.once('response', resolve);
      for (const part of body) asked.write(part);
      asked.end();
    });
    const { statusCode = 0 } = answer;
    if (statusCode >= 200 && statusCode < 300) return answer;
    throw refusalOf(statusCode, answer.headers['retry-after'], await text(answer));
  }

  /**
   * @param form what the answer must have. An answer of another form is none
   * @returns what was told, and when by the store's clock
   */
  async json<T>(
    asked: GcsRequest,
    form: z.ZodType<T>,
    signal: AbortSignal,
  ): Promise<{ told: T; at: Date | undefined }> {
    const answer = await this.ask(asked, signal);
    const at = timeIn(answer.headers.date);
    const found = form.safeParse(parsed(await text(answer)));
    if (found.success) return { told: found.data, at };
    throw new GcsRefusal(200, 'HollowAnswer', 'the answer is none of Google Cloud Storage', undefined);
  }
}

/** @param error what a request threw */
export function refusalIn(error: unknown): StoreRefusal {
  if (error instanceof GcsRefusal) {
    const { status, code, message, waitMs } = error;
    return {
      status: code === 'HollowAnswer' ? undefined : status,
      code,
      message,
      passes: mayPass(code, status),
      waitMs,
    };
  }
  const found = systemError.safeParse(plainOf(error));
  const { name, code, message } = found.success ? found.data : { name: '', code: undefined, message: String(error) };
  const known = code ?? (name === 'Error' ? '' : name);
  return { status: undefined, code: known, message, passes: mayPass(known, undefined), waitMs: undefined };
}

const systemError = z.object({
  name: z.string(),
  message: z.string(),
  code: z.string().optional().catch(undefined),
});

/** The fields that an error hides from a walk over it are asked for by name. */
function plainOf(error: unknown): unknown {
  if (typeof error !== 'object' || error === null) return error;
  const part = (key: string): unknown => Reflect.get(error, key);
  return { name: part('name'), message: part('message'), code: part('code') };
}

function refusalOf(status: number, wait: string | undefined, body: string): GcsRefusal {
  const found = refusal.safeParse(parsed(body));
  // The page of a proxy has no reason.
  const { message, errors } = found.success ? found.data.error : { message: '', errors: undefined };
  const code = found.success ? (errors?.[0]?.reason ?? 'refused') : '';
  return new GcsRefusal(status, code, message, retryAfterMs(wait, Date.now()));
}

function timeIn(date: string | undefined): Date | undefined {
  const at = new Date(date ?? '');
  return Number.isNaN(at.getTime()) ? undefined : at;
}

function parsed(told: string): unknown {
  try {
    return JSON.parse(told);
  } catch {
    return undefined;
  }
}
