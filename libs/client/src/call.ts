/** The types of one call: what an operation takes, and what it answers, both read from the operation itself. */
import type { Operation, PathParameter, QueryName } from '@strongroom/contracts';
import type { z } from 'zod';

/** What the call of every operation takes. */
export interface CallOptions {
  /** Ends the call: `AbortSignal.timeout(10_000)`, for example. */
  signal?: AbortSignal | undefined;
  /** The id of the request in the answer, the log and every event that follows; the service makes one otherwise. */
  requestId?: string | undefined;
  /** The same key with the same request within 24 hours gets the first answer again, and does nothing. */
  idempotencyKey?: string | undefined;
  /** The ETag that was read: the service refuses the change (412) when the resource has changed since. */
  ifMatch?: string | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
}

/** One request, whose parts are not checked by the types of its operation. */
export interface RequestParts extends CallOptions {
  id?: string | undefined;
  /** The name or the id of a datastore's version. */
  version?: string | undefined;
  /** The name of a file of the console. */
  file?: string | undefined;
  query?: Readonly<Record<string, string | number | undefined>> | undefined;
  body?: unknown;
}

type NameInQuery<O extends Operation> = O extends { readonly query: readonly (infer Name extends QueryName)[] }
  ? Name
  : never;

export type QueryOf<O extends Operation> = {
  [Name in NameInQuery<O>]?: (Name extends 'limit' ? number : string) | undefined;
};

export type BodyOf<O extends Operation> = O extends { readonly request: infer Request extends z.ZodType }
  ? z.input<Request>
  : never;

/** The body of a success; `unknown` when the operation has no schema for it. */
export type ResponseOf<O extends Operation> = O extends { readonly response: infer Response extends z.ZodType }
  ? z.output<Response>
  : unknown;

/** The operation's own part of a call: the id in its path, its query and its body. */
export type Asked<O extends Operation> = Record<Exclude<PathParameter<O['path']>, 'accountId'>, string> &
  (O extends { readonly query: readonly QueryName[] } ? { query?: QueryOf<O> | undefined } : unknown) &
  (O extends { readonly request: z.ZodType } ? { body: BodyOf<O> } : unknown);
