/** A row of `audit_entry`: the columns that are read, and the entries in them. One that only a newer version can read is left out. */
import { auditEntry } from '@strongroom/contracts';
import { z } from 'zod';
import type { LedgerPlace, RecordedAuditEntry } from './ledger-place.js';

export const entryColumns = 'position, seq, id, account_id, at, entry';

export const entryRows = z.array(
  z.object({
    position: z.coerce.number(),
    seq: z.coerce.number(),
    id: z.string(),
    account_id: z.string().nullable(),
    at: z.date(),
    entry: z.unknown(),
  }),
);

export function entriesIn(found: z.infer<typeof entryRows>): (LedgerPlace & { recorded: RecordedAuditEntry })[] {
  return found.flatMap(({ position, seq, id, account_id: accountId, at, entry }) => {
    const known = auditEntry.safeParse(entry).data;
    return known ? [{ position, seq, recorded: { id, accountId, at, entry: known } }] : [];
  });
}
