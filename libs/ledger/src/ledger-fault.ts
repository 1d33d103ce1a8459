/**
 * The fault of a ledger whose database can't be reached or can't write. Whether the append took place is not known, and the
 * caller may try again.
 */
import { Fault, messageOf } from '@strongroom/contracts';

export class LedgerFault extends Fault<'ledger-unavailable'> {
  override readonly name = 'LedgerFault';

  constructor(cause: unknown) {
    super('ledger-unavailable', true, `the ledger's database did not answer: ${messageOf(cause)}`, { cause });
  }
}

/**
 * The errors of a temporary outage: a connection is lost or refused, a server starts or stops, is too slow (57014) or became a
 * standby (25006), or a resource ran out.
 */
const passing = /^(08|53|57P0|57014|25P03|25006|40001|40P01|55P03)/;
const connectionErrors = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

/** Whether a database error is a temporary outage. Any other error is a mistake in the statement. */
export function isOutage(error: unknown): boolean {
  if (error instanceof LedgerFault) return true;
  if (error instanceof AggregateError) return error.errors.some(isOutage);
  if (!(error instanceof Error)) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (passing.test(code) || connectionErrors.has(code)) return true;
  // The pool has taken a connection back that the server had ended.
  if (error.name === 'QueryRunnerAlreadyReleasedError') return true;
  // A fatal error ends the session or keeps it from beginning. It says nothing about the statement.
  if ('severity' in error && (error.severity === 'FATAL' || error.severity === 'PANIC')) return true;
  if (
    /Connection terminated|timeout exceeded when trying to connect|timeout expired|Client has encountered a connection error|not queryable/.test(
      error.message,
    )
  ) {
    return true;
  }
  return 'driverError' in error && error.driverError !== error && isOutage(error.driverError);
}
