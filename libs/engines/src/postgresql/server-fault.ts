/** Turns what a PostgreSQL server, or the network, says went wrong into a fault that says what to do. */
import { messageOf } from '@strongroom/contracts';
import { EngineFault, type EngineFaultCode } from '../engine-fault.js';

interface Known {
  fault: EngineFaultCode;
  next: string;
}

const hbaLine: Known = {
  fault: 'backup-not-permitted',
  next: 'Add a line to its pg_hba.conf for the database "replication", such as: host replication USER ADDRESS scram-sha-256; then reload it.',
};
const mayNotLogIn: Known = { fault: 'credentials-refused', next: 'See that the user exists and may log in.' };

/** What each SQLSTATE means. Source: PostgreSQL documentation, appendix "PostgreSQL Error Codes". */
const bySqlState: readonly [RegExp, Known][] = [
  [/^28P01$/, { fault: 'credentials-refused', next: 'Register the instance again with the right user and password.' }],
  [/^42501$/, { fault: 'backup-not-permitted', next: 'Give the user the right to: ALTER ROLE … REPLICATION.' }],
  [
    /^53300$/,
    {
      fault: 'backup-not-permitted',
      next: 'See that wal_level is replica or higher, raise max_wal_senders, or let another backup end first.',
    },
  ],
  [/^53400$/, { fault: 'backup-not-permitted', next: 'Raise max_replication_slots, or let another backup end first.' }],
  [
    /^55000$/,
    {
      fault: 'backup-not-permitted',
      next: 'See that wal_level is replica or higher and that max_replication_slots is above 0.',
    },
  ],
  [/^(57P0|08)/, { fault: 'server-unreachable', next: 'See that the server is up and takes connections.' }],
];

const notInState = '55000';

/** What Node and `pg` say when the server gave no answer. */
const byMessage: readonly [RegExp, Known][] = [
  [
    /does not support SSL/,
    { fault: 'backup-not-permitted', next: 'Turn ssl on in the server, or register the instance with tls "disable".' },
  ],
  [
    /certificate|altname|self.signed/i,
    {
      fault: 'server-unreachable',
      next: 'Have its certificate signed by an authority that this host trusts (NODE_EXTRA_CA_CERTS), or register the instance with tls "require".',
    },
  ],
];

/** The SQLSTATE of the error. Undefined when it is not the server's. */
export function sqlStateOf(error: unknown): string | undefined {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  return /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code) ? code : undefined;
}

export function faultOfServer(error: unknown): EngineFault {
  if (error instanceof EngineFault) return error;
  const message = messageOf(error);
  const code = sqlStateOf(error);
  if (code === notInState && /promoted/.test(message)) {
    return new EngineFault(
      'backup-aborted-by-server',
      `The server ended the backup: ${message} (${code}). Take it again.`,
      { cause: error },
    );
  }
  if (code !== undefined) {
    const known = code === '28000' ? (/pg_hba/.test(message) ? hbaLine : mayNotLogIn) : inTable(bySqlState, code);
    if (known) {
      // The setting may have to change on another server, and the hint says so.
      const next = (code === notInState && hintOf(error)) || known.next;
      return new EngineFault(known.fault, `The server refuses: ${message} (${code}). ${next}`, { cause: error });
    }
    return new EngineFault(
      'backup-aborted-by-server',
      `The server ended the backup: ${message} (${code}). Its log may say more.`,
      { cause: error },
    );
  }
  const { fault, next } = inTable(byMessage, message) ?? {
    fault: 'server-unreachable',
    next: 'See that it is up and that this host may connect to it.',
  };
  return new EngineFault(fault, `The server can't be reached: ${message}. ${next}`, { cause: error });
}

function inTable(table: readonly [RegExp, Known][], text: string): Known | undefined {
  return table.find(([pattern]) => pattern.test(text))?.[1];
}

function hintOf(error: unknown): string | undefined {
  const isOne = typeof error === 'object' && error !== null && 'hint' in error && typeof error.hint === 'string';
  return isOne ? String(error.hint) : undefined;
}
