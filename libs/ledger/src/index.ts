/** The append-only ledger: append, read, and execute commands on it. */
export { wakeReaders } from './append-notices.js';
export type {
  AppendOutcome,
  AppendRequest,
  ExpectedStream,
  KeptRequest,
  RelyingOutcome,
  RelyingRequest,
} from './append-request.js';
export { type AuditExportName, AuditTrail, type NewAuditEntry, type UnreadAuditEntry } from './audit-trail.js';
export type { TailRow } from './event-row.js';
export { type EventText, newestOfKind } from './event-text.js';
export {
  type BoundCommand,
  ConflictFault,
  commandOn,
  type Executed,
  type ExecuteParts,
  execute,
  executeTogether,
  idempotencyKey,
  plan,
  stateOf,
  type Target,
} from './execute.js';
export { type EventsAsked, ExplainingEvents, type TimeAndPosition } from './explaining-events.js';
export { heldVerdicts } from './held-verdicts.js';
export type { EventPlace } from './last-before.js';
export { type CausedLedger, LeasedLedger, type LeasedLedgerParts } from './leased-ledger.js';
export { Ledger } from './ledger.js';
export { isOutage, isOutageForAll, LedgerFault } from './ledger-fault.js';
export { inOrder, type LedgerItem, type LedgerPlace, type RecordedAuditEntry } from './ledger-place.js';
export { type BrokenLink, type LedgerHead, type LinksVerdict, ledgerHead, verifyLinks } from './links.js';
export { type LiveSchedule, liveSchedules } from './live-schedules.js';
export type { NextOfAccount } from './next-of-accounts.js';
export {
  isForNewerVersion,
  isUnreadable,
  type ReadEvents,
  UnreadableStreamFault,
  type UnreadEvent,
} from './read-events.js';
export { SharedStatements } from './shared-statements.js';
export type { TailOfAccounts } from './tail-of-accounts.js';
