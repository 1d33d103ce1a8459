/** What the contract says of one operation. Each operation is a value beside its schemas, and is spelled nowhere else. */
import type { z } from 'zod';
import type { FaultType } from './faults.js';

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

export type QueryName = 'limit' | 'marker' | 'instance_id' | 'datastore' | 'status';

export interface Operation {
  /** Its name in the OpenAPI document, in `STRONGROOM_RATE_LIMITS` and in the metrics: it never changes. */
  readonly name: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** As OpenAPI writes it: a name in braces stands for a parameter. */
  readonly path: string;
  readonly summary: string;
  /** What a reader of the document should know besides. */
  readonly notes?: string;
  /** The status of the success. */
  readonly status: 200 | 202;
  readonly request?: z.ZodType;
  /** The body of the success; without it, the body is empty or is not JSON. */
  readonly response?: z.ZodType;
  readonly query?: readonly QueryName[];
  /** Faults beyond those that follow from the rest. */
  readonly faults?: readonly FaultType[];
  readonly examples?: readonly Example[];
  /** It changes or deletes one resource, and takes If-Match. */
  readonly changes?: true;
  /** It is a stream too, for a client that accepts text/event-stream. */
  readonly streams?: true;
}
