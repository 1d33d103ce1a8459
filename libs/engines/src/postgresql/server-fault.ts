/** What a PostgreSQL server, or the way to it, says went wrong, as a fault that says what to do. */
import { EngineFault, type EngineFaultCode } from '../engine-fault.js';

const unreachable = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

/** By SQLSTATE (source: PostgreSQL documentation, appendix "PostgreSQL Error Codes"). */
const bySqlState: readonly [RegExp, EngineFaultCode, string][] = [
  [/^28P01$/, 'credentials-refused', 'Register the instance again with the right user and password.'],
  [
    /^28000$/,
    'backup-not-permitted',
    'Let the user in from this host: its pg_hba.conf needs a line for the database "replication".',
  ],
  [/^42501$/, 'backup-not-permitted', 'Give the user the right: ALTER ROLE … REPLICATION.'],
  [/^53300$/, 'backup-not-permitted', 'Raise max_wal_senders, or let another backup end first.'],
  [
    /^53400$/,
    'backup-not-permitted',
    'Raise max_replication_slots and max_wal_senders, or let another backup end first.',
  ],
  [/^55000$/, 'backup-not-permitted', 'See that wal_level is replica or higher.'],
  [/^(57P0|08)/, 'server-unreachable', 'See that the server is up.'],
];

export function faultOfServer(error: unknown): EngineFault {
  if (error instanceof EngineFault) return error;
  const message = error instanceof Error && error.message ? error.message : reasonOf(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (
    unreachable.has(code) ||
    error instanceof AggregateError ||
    /timeout expired|Connection terminated|socket/i.test(message)
  ) {
    return new EngineFault(
      'server-unreachable',
      `The server can't be reached: ${message}. See that it is up and that this host may connect to it.`,
      { cause: error },
    );
  }
  const known = bySqlState.find(([state]) => state.test(code));
  if (known)
    return new EngineFault(known[1], `The server refuses: ${message} (${code}). ${known[2]}`, { cause: error });
  return new EngineFault(
    'backup-aborted-by-server',
    `The server ended the backup: ${message}${code ? ` (${code})` : ''}.`,
    { cause: error },
  );
}

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError)
    return error.errors.map((each) => (each instanceof Error ? each.message : String(each))).join(', ');
  return String(error);
}
