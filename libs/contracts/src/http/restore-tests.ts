/** The schemas of restores that somebody has tested: how they are told, and how they are shown. */
import { z } from 'zod';
import { restoreProof } from '../events.js';
import { regionName } from '../primitives.js';
import { fault, integer, optional, text, utcTime } from './fields.js';

const mostTestSeconds = 31_536_000;
const faultOfTest = z.strictObject({ code: text(1, 64), message: text(1, 2_000, 'text') });

/** Either what the restore has shown, or why it failed. */
export const restoreTestedRequest = z.strictObject({
  'restore-tested': z
    .strictObject({
      region: regionName,
      /** How long the test took, rounded up. */
      seconds: integer(0, mostTestSeconds),
      proof: optional(restoreProof),
      fault: optional(faultOfTest),
    })
    .refine(({ proof, fault }) => (proof === undefined) !== (fault === undefined), {
      error: 'must have a proof when the restore went well, a fault when it failed, and not both',
    }),
});
export type RestoreTestedRequest = z.output<typeof restoreTestedRequest>['restore-tested'];
/** As a client writes it. */
export type ToldRestoreTest = z.input<typeof restoreTestedRequest>['restore-tested'];

/** A restore that somebody has tested, as whoever did it has told. */
export const restoreTest = z.object({
  backup_id: z.string(),
  /** From where it was restored. */
  region: regionName,
  outcome: z.enum(['passed', 'failed']),
  at: utcTime,
  /** How long it took, or after which time it failed. */
  seconds: z.int(),
  /** Null when it failed. */
  proof: restoreProof.nullable(),
  /** Null when it passed. */
  fault: fault.nullable(),
  /** The name of the token of whoever told it. */
  by: z.string(),
});
export type RestoreTest = z.infer<typeof restoreTest>;
