/** What the contract says of one operation. Each operation is a value beside its schemas, and is spelled nowhere else. */
import { z } from 'zod';
import type { Right } from '../rights.js';
import type { FaultType } from './faults.js';
import { links } from './fields.js';

export const apiVersion = 'v1.0';

/** The path of everything that belongs to an account. */
export const accountPath = `/${apiVersion}/{accountId}` as const;

/** The id of something that exists, in the examples. */
export const exampleId = '44b277eb-39be-4921-be31-3d61b43651d7';

export interface Example {
  readonly name: string;
  readonly request: unknown;
  readonly response?: unknown;
}

export type QueryName =
  | 'limit'
  | 'marker'
  | 'instance_id'
  | 'datastore'
  | 'status'
  | 'deleted'
  | 'as_of'
  | 'since'
  | 'runs';

export interface Operation {
  /** Its name in the OpenAPI document, in `STRONGROOM_RATE_LIMITS` and in the metrics: it never changes. */
  readonly name: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** As OpenAPI writes it: a name in braces stands for a parameter. */
  readonly path: string;
  /** The rights of which a caller needs one to be let in; left out where the operation belongs to no account. */
  readonly rights?: readonly Right[];
  /** Which of its rights a request with this body needs, whatever it finds; left out where it needs any of them. */
  readonly rightsFor?: (body: unknown) => readonly Right[];
  readonly summary: string;
  /** What else a reader of the OpenAPI document should know. */
  readonly notes?: string;
  /** The status of the success. */
  readonly status: 200 | 202;
  readonly request?: z.ZodType;
  /** The body of the success; without it, the body is empty or is not JSON. */
  readonly response?: z.ZodType;
  /** Some of its requests only ask, and are answered with 200 and this body. */
  readonly answer?: z.ZodType;
  readonly query?: readonly QueryName[];
  /** Faults beyond those that follow from the other fields. */
  readonly faults?: readonly FaultType[];
  readonly examples?: readonly Example[];
  /** It changes or deletes one resource, and takes If-Match. */
  readonly changes?: true;
  /** It has a body and changes nothing: an Idempotency-Key means nothing to it. */
  readonly onlyAsks?: true;
  /** It is a stream too, for a client that accepts text/event-stream. */
  readonly streams?: true;
}

/** What every page of a list has beside its items. */
export const listPage = z.object({ links });

/** An operation that answers a list in pages. */
export type PagedOperation = Operation & {
  readonly query: readonly QueryName[];
  readonly response: z.ZodType<z.output<typeof listPage>>;
};
