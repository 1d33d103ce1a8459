/** The append-only ledger: append, read, and execute commands on it. */
export type { AppendOutcome, AppendRequest, ExpectedStream } from './append-request.js';
export {
  type BoundCommand,
  ConflictFault,
  claimRefusal,
  commandOn,
  type Executed,
  execute,
  executeTogether,
  idempotencyKey,
  plan,
  type Target,
} from './execute.js';
export { heldVerdicts } from './held-verdicts.js';
export { Ledger, type TailRow } from './ledger.js';
export { isOutage, LedgerFault } from './ledger-fault.js';
