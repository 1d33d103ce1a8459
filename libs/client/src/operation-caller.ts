/**
 * Makes the calls of any operation: one call, the pages of a list, or one request whose answer is taken as it came. The
 * token goes to `baseUrl`, and to no address that an answer names.
 */
import { listPage, type Operation, type PagedOperation, pathOf } from '@strongroom/contracts';
import type { z } from 'zod';
import { type Answer, parseAnswer, read } from './answer.js';
import { ApiFault } from './api-fault.js';
import type { Asked, CallOptions, RequestParts, ResponseOf } from './call.js';

export interface ClientOptions {
  /** Scheme, host, port and, behind a proxy, the prefix of every path: `https://backups.example.com`. */
  baseUrl: string;
  accountId: string;
  /** Not needed for what the service says of itself. */
  token?: string | undefined;
  /** Default: the global `fetch`. */
  fetch?: typeof globalThis.fetch;
}

/** The second argument of a call; it may be left out when the operation needs nothing. */
type AskedOf<O extends Operation> =
  Record<never, never> extends Asked<O> ? [asked?: Asked<O> & CallOptions] : [asked: Asked<O> & CallOptions];

type AskingParts<O extends Operation> = Asked<O> & CallOptions;

export class OperationCaller {
  /** @throws {TypeError} when no header can carry the token */
  constructor(private readonly options: ClientOptions) {
    // The error of `fetch` would quote the token.
    if (/[^\x20-\x7e]/.test(options.token?.trim() ?? '')) {
      throw new TypeError('the token has a character that no header can carry');
    }
  }

  /**
   * Makes one call: `call(getBackups, { query: { limit: 5 } })`, `call(deleteBackupsId, { id, ifMatch })`. The body is
   * parsed with the operation's schema, which leaves out the fields that it does not know. A newer service may have a status
   * or another value that the types here lack; it is passed on.
   * @throws {ApiFault} on every answer but the operation's success
   */
  async call<const O extends Operation>(operation: O, ...[asked]: AskedOf<O>): Promise<Answer<ResponseOf<O>>> {
    const answer = await this.succeed(operation, asked);
    return { ...answer, body: answer.body as ResponseOf<O> };
  }

  /** As `call`, for a caller that takes the operation as an argument of its own. @throws {ApiFault} */
  async perform<const O extends Operation>(operation: O, asked: AskingParts<O>): Promise<Answer<ResponseOf<O>>> {
    const answer = await this.succeed(operation, asked);
    return { ...answer, body: answer.body as ResponseOf<O> };
  }

  /** Makes a request of an operation that only asks, and is answered with a body of its own. @throws {ApiFault} */
  ask<const O extends Operation & { readonly answer: z.ZodType }>(
    operation: O,
    asked: AskingParts<O>,
  ): Promise<Answer<z.output<O['answer']>>> {
    const asking = { ...operation, status: 200, response: operation.answer } as const;
    return this.succeed(asking, asked) as Promise<Answer<z.output<O['answer']>>>;
  }

  /** The pages of a list, to its end. Each is read when the caller wants it. @throws {ApiFault} */
  async *pages<const O extends PagedOperation>(
    operation: O,
    ...[asked]: AskedOf<O>
  ): AsyncGenerator<ResponseOf<O>, void, undefined> {
    let parts: RequestParts = { ...asked };
    for (;;) {
      const answer = await this.succeed(operation, parts);
      yield answer.body as ResponseOf<O>;
      const next = listPage.parse(answer.body).links.find(({ rel }) => rel === 'next');
      if (!next) return;
      const marker = new URL(next.href, this.options.baseUrl).searchParams.get('marker');
      if (marker === null) throw ApiFault.foreign(titleOf(operation), answer);
      parts = { ...parts, query: { ...parts.query, marker } };
    }
  }

  /** Sends one request, and gives its answer as it came, with any status. */
  async send(operation: Operation, parts: RequestParts = {}): Promise<Answer> {
    return read(await this.open(operation, parts));
  }

  /** Sends one request; the body of the answer is still to be read. */
  open(operation: Operation, parts: RequestParts = {}): Promise<Response> {
    const { baseUrl, accountId, token, fetch = globalThis.fetch } = this.options;
    const { id, version, file, query = {}, body, signal, requestId, idempotencyKey, ifMatch, headers } = parts;
    const named = {
      accountId,
      ...(id !== undefined && { id }),
      ...(version !== undefined && { version }),
      ...(file !== undefined && { file }),
    };
    const url = new URL(baseUrl.replace(/\/$/, '') + pathOf(operation, named));
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    return fetch(url, {
      method: operation.method,
      headers: {
        ...(token !== undefined && { 'x-auth-token': token }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(requestId !== undefined && { 'x-request-id': requestId }),
        ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
        ...(ifMatch !== undefined && { 'if-match': ifMatch }),
        ...headers,
      },
      // A redirect would take the token along.
      redirect: 'manual',
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    });
  }

  /** @throws {ApiFault} */
  private async succeed(operation: Operation, parts: RequestParts | undefined): Promise<Answer> {
    const answer = await this.send(operation, parts);
    if (answer.status !== operation.status) throw ApiFault.of(titleOf(operation), answer);
    if (!operation.response) return answer;
    try {
      return { ...answer, body: parseAnswer(operation.response, answer.body) };
    } catch (error) {
      throw ApiFault.foreign(titleOf(operation), answer, error);
    }
  }
}

function titleOf({ method, path }: Operation): string {
  return `${method} ${path}`;
}
