/** The faults of the HTTP contract: a name, its code, and one shape. Known clients crash on any other. */
import { z } from 'zod';

export const faultCodes = {
  badRequest: 400,
  unauthorized: 401,
  forbidden: 403,
  itemNotFound: 404,
  badMethod: 405,
  conflict: 409,
  preconditionFailed: 412,
  overLimit: 413,
  badMediaType: 415,
  unprocessableEntity: 422,
  instanceFault: 500,
  notImplemented: 501,
  serviceUnavailable: 503,
} as const;

export type FaultType = keyof typeof faultCodes;
export const faultTypes = Object.keys(faultCodes) as FaultType[];

/** `{"itemNotFound": {"code": 404, "message": "…"}}`: one name, and an object under it. */
export const faultBody = z.partialRecord(
  z.enum(faultTypes as [FaultType, ...FaultType[]]),
  z.object({ code: z.int(), message: z.string(), details: z.string().optional() }),
);
