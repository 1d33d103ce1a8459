/**
 * The fault of a ledger whose database can't be reached or can't write, and what such an outage is. Every way in which a database
 * goes away is an outage: no caller may take it for a mistake of its own.
 */
import { Fault, messageOf } from '@strongroom/contracts';

export class LedgerFault extends Fault<'ledger-unavailable'> {
  override readonly name = 'LedgerFault';

  /**
   * @param mayBeWritten whether the append may have taken place all the same. It is true when the connection was lost after the
   *   append was sent and before its answer came. When it is false, nothing was written.
   */
  constructor(
    cause: unknown,
    readonly mayBeWritten: boolean,
  ) {
    const doubt = mayBeWritten ? '; whether the events were recorded is not known' : '';
    const told = `the ledger's database did not answer${doubt}`;
    super('ledger-unavailable', true, `the ledger's database did not answer: ${messageOf(cause)}${doubt}`, {
      cause,
      told,
    });
  }
}

/**
 * The SQLSTATEs of an outage that passes. In this order: a connection is lost or refused (08), a resource ran out (53), a server
 * starts, stops or drops an idle session (57P), a statement was too slow or was cancelled (57014), a transaction was idle or open
 * too long (25P03, 25P04), a server only takes reads, as a standby does (25006), transactions were in each other's way (40), a lock
 * or an object was not free in time (55P03, 55006), a file of the server could not be read or written (58).
 */
const passing = /^(08|53|57P0|57014|25P03|25P04|25006|40001|40003|40P01|55P03|55006|58)/;

/** The codes that Node gives to a connection that can't be made or was lost. */
const ofConnections = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'EPROTO',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ENETRESET',
  'ENOTCONN',
  'ESHUTDOWN',
  'EADDRNOTAVAIL',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EAI_FAIL',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_SOCKET_CLOSED',
  'ERR_SOCKET_CONNECTION_TIMEOUT',
]);
/** The calls by which Node makes a connection. Whatever keeps it from being made, such as too many open files, is an outage. */
const connecting = ['connect', 'getaddrinfo'];

/** Errors of the driver, of its pool and of TypeORM that have no code. Each says that there is no connection any more, or none yet. */
const messages = [
  /^Connection terminated/,
  /^Client has encountered a connection error/,
  /is not queryable$/,
  /^timeout exceeded when trying to connect/,
  /^timeout expired$/,
  /^Query read timeout/,
  /^Received unexpected \w+ message from backend/,
  /^Cannot use a pool after calling end/,
  /^Driver not Connected/,
  /^The server does not support SSL connections/,
  /^There was an error establishing an SSL connection/,
  /^SASL: /,
  /^Client network socket disconnected/,
];

/** A query runner is released under its user when its connection is lost, and a data source has no driver before it is connected. */
const ofTypeOrm = new Set([
  'QueryRunnerAlreadyReleasedError',
  'QueryRunnerProviderAlreadyReleasedError',
  'CannotExecuteNotConnectedError',
  'ConnectionIsNotSetError',
]);

/** Whether a database error is a temporary outage. Any other error is a mistake in the statement. */
export function isOutage(error: unknown): boolean {
  if (error instanceof LedgerFault) return true;
  if (error instanceof AggregateError) return error.errors.some(isOutage);
  if (!(error instanceof Error)) return false;
  if (isOfServer(error)) return endsTheSession(error) || passing.test(error.code);
  if (ofTypeOrm.has(error.name) || messages.some((each) => each.test(error.message))) return true;
  if ('code' in error && typeof error.code === 'string') {
    if (ofConnections.has(error.code) || isOfTls(error.code)) return true;
  }
  if ('syscall' in error && typeof error.syscall === 'string' && connecting.includes(error.syscall)) return true;
  return 'driverError' in error && error.driverError !== error && isOutage(error.driverError);
}

/** The server broke off one statement or transaction: it was too slow, or in the way of another one. */
const ofOneStatement = /^(57014|55P03|55006|40)/;

/**
 * Whether an error is an outage that everybody meets. Work on many things, one after the other, ends at such an error only. What
 * breaks off one statement may be of one thing, such as an account with very many rows, and the others go on; in a real outage
 * the next one fails as well. An append that got no answer is for all, because every append waits for the same lock.
 */
export function isOutageForAll(error: unknown): boolean {
  if (error instanceof Error && isOfServer(error) && !endsTheSession(error) && ofOneStatement.test(error.code))
    return false;
  return isOutage(error);
}

/**
 * Whether a statement that failed may have been done all the same. It was not when the server has said that it failed, nor when there
 * was no connection any more to send it on. After any other error nobody knows.
 */
export function mayBeDone(error: unknown): boolean {
  if (!(error instanceof Error)) return true;
  if (isOfServer(error)) return endsTheSession(error);
  return !ofTypeOrm.has(error.name) && !/is not queryable$/.test(error.message);
}

type ServerError = Error & { code: string; severity: string };

/** Whether the server sent it: such an error has a severity and an SQLSTATE. TypeORM copies both from the driver's error. */
function isOfServer(error: Error): error is ServerError {
  return 'severity' in error && typeof error.severity === 'string' && 'code' in error && typeof error.code === 'string';
}

/** A fatal error ends the session or keeps it from beginning. It says nothing about the statement. */
function endsTheSession({ severity }: ServerError): boolean {
  return severity === 'FATAL' || severity === 'PANIC';
}

/** Node names the faults of TLS after OpenSSL's, and those of certificates by words without a common beginning. */
function isOfTls(code: string): boolean {
  return /^(ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_CA|CRL_)/.test(code);
}
