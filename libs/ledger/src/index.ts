/** The append-only ledger: append, read, and execute commands on it. */
export type { AppendOutcome, AppendRequest } from './append-request.js';
export { ConflictFault, claimRefusal, type Executed, execute, plan, type Target } from './execute.js';
export { Ledger, type TailRow } from './ledger.js';
export { isOutage, LedgerFault } from './ledger-fault.js';
