/** The faults of the HTTP contract. Each has a type, a status and one shape; known clients crash on any other shape. */
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

/** `{"itemNotFound": {"code": 404, "message": "…"}}`: the type is the only key, and an object stands under it. */
export const faultBody = z.partialRecord(
  z.enum(faultTypes as [FaultType, ...FaultType[]]),
  z.object({
    code: z.int(),
    message: z.string(),
    details: z.string().optional(),
    /** A `RefusalCode`, where what the account has does not allow what was asked. A newer service may know more of them. */
    refusal: z.string().optional(),
  }),
);
