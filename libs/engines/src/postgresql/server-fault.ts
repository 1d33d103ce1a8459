/**
 * Turns what a PostgreSQL server, or the network, says went wrong into a fault. It holds the server's own words and what was
 * tried. Our advice stands beside them only where the SQLSTATE and the words leave no doubt: a server that speaks another
 * language gets less advice, and no wrong one.
 */
import { isIP } from 'node:net';
import type { Endpoint } from '@strongroom/contracts';
import { EngineFault, type EngineFaultCode } from '../engine-fault.js';
import { fieldOf, Notices, saidBy, sqlStateOf, wordsOf } from './server-words.js';

/** How a server was spoken to. Never the password. */
export interface Tried {
  endpoint: Endpoint;
  speaks: 'replication' | 'sql';
  notices?: Notices;
  /** Whether it had begun to send a backup: what it refuses then is not what it is set up for. */
  isSending?: boolean;
}

interface Case {
  fault: EngineFaultCode;
  /** Only what is certain. */
  advice?: string | ((tried: Tried, words: string) => string);
}

/** The first that fits counts. Without words it is for every error of its states. */
interface Rule extends Case {
  states: RegExp;
  words?: RegExp;
  /** Whether it is for what a server says once it sends a backup, or only for what it says before. Default: for both. */
  isSending?: boolean;
}

const unreachable: Case = {
  fault: 'server-unreachable',
  advice: 'See that it is up and that this host may connect to it.',
};
const pooler: Case = {
  fault: 'backup-not-permitted',
  advice:
    'A connection pooler, such as PgBouncer, answers there, and backups need the server itself: give the instance the host and the port of the PostgreSQL server behind it.',
};
const clientCertificate =
  'The server wants a client certificate for this user and connection. Give the instance one that the server trusts, or put a line with another method for it above that line of its pg_hba.conf.';

/** What SQLSTATEs and words mean. Source: PostgreSQL documentation, "PostgreSQL Error Codes", and its messages in English. */
const rules: readonly Rule[] = [
  {
    states: /^28P01$/,
    fault: 'credentials-refused',
    advice:
      'Give the instance the right user and password. A password that has expired (VALID UNTIL) is refused in the same words.',
  },
  { states: /^28/, words: /no pg_hba\.conf entry/, fault: 'backup-not-permitted', advice: hbaLine },
  {
    states: /^28/,
    words: /pg_hba\.conf rejects/,
    fault: 'backup-not-permitted',
    advice:
      'A line with the method "reject" comes first in its pg_hba.conf: put one above it that lets this connection in.',
  },
  { states: /^28/, words: /valid client certificate/, fault: 'credentials-refused', advice: clientCertificate },
  {
    states: /^28/,
    words: /certificate authentication failed/,
    fault: 'credentials-refused',
    advice: ({ endpoint }) =>
      `The common name of the client certificate must be "${endpoint.user}", or pg_ident.conf must map it to that.`,
  },
  {
    states: /^28/,
    words: /role ".*" does not exist/,
    fault: 'credentials-refused',
    advice: 'Make the role, or give the instance another user.',
  },
  {
    states: /^28/,
    words: /not permitted to log in/,
    fault: 'credentials-refused',
    advice: ({ endpoint }) => `Let it log in: ALTER ROLE "${endpoint.user}" LOGIN.`,
  },
  { states: /^28/, fault: 'credentials-refused' },
  {
    states: /^42501$/,
    words: /WAL ?sender|replication/i,
    fault: 'backup-not-permitted',
    advice: ({ endpoint }) => `Give the user the right to: ALTER ROLE "${endpoint.user}" REPLICATION.`,
  },
  { states: /^42501$/, fault: 'backup-not-permitted' },
  {
    states: /^3D000$/,
    fault: 'backup-not-permitted',
    advice: 'Give the instance the name of a database that the server has.',
  },
  {
    states: /^42704$/,
    words: /"idle_session_timeout"/,
    fault: 'version-unsupported',
    advice: 'The server is older than PostgreSQL 14; backups are taken of version 15 and newer. Upgrade the server.',
  },
  {
    states: /^53300$/,
    words: /max_wal_senders.*\(currently 0\)/,
    fault: 'backup-not-permitted',
    advice: 'Set max_wal_senders above 0, and wal_level to replica or higher; then restart the server.',
  },
  {
    states: /^53300$/,
    words: /max_wal_senders/,
    fault: 'server-exhausted',
    advice: 'Raise max_wal_senders, or let another backup end first.',
  },
  {
    states: /^53400$/,
    words: /replication slots/,
    fault: 'server-exhausted',
    advice: 'Raise max_replication_slots, or let another backup end first.',
  },
  // A limit of PostgreSQL itself, such as that of a file name in an archive.
  { states: /^54/, fault: 'backup-not-permitted' },
  // Connections, memory and disk can be free again soon.
  { states: /^53/, fault: 'server-exhausted' },
  {
    states: /^55000$/,
    words: /wal_level/,
    fault: 'backup-not-permitted',
    advice: 'Set wal_level to replica or higher, and restart the server.',
  },
  {
    states: /^55000$/,
    words: /max_replication_slots/,
    fault: 'backup-not-permitted',
    advice: 'Set max_replication_slots above 0, and restart the server.',
  },
  {
    states: /^55000$/,
    words: /promoted/,
    fault: 'backup-aborted-by-server',
    advice: 'Take it again: the server is a primary now.',
  },
  { states: /^55000$/, words: /full_page_writes/, fault: 'backup-not-permitted' },
  { states: /^55000$/, isSending: false, fault: 'backup-not-permitted' },
  {
    states: /^57P03$/,
    words: /hot standby mode is disabled/i,
    fault: 'backup-not-permitted',
    advice: 'A standby lets nobody in while hot_standby is off: turn it on, or back up its primary.',
  },
  {
    states: /^57P03$/,
    fault: 'server-unreachable',
    advice: 'See that the server is up and takes connections.',
  },
  { states: /^57P0/, fault: 'server-unreachable' },
  { states: /^08/, words: /unsupported startup parameter|bouncer|pooler/i, ...pooler },
  { states: /^08/, fault: 'server-unreachable' },
  {
    states: /^XX00[12]$/,
    fault: 'server-data-damaged',
    advice:
      'The backup is not kept, and those before it stay. See "A damaged page" in docs/operations.md: how to find what the file belongs to, how to mend it from the last good backup, and how to take a copy of the rest meanwhile.',
  },
  {
    states: /^42601$/,
    words: /IDENTIFY_SYSTEM|REPLICATION_SLOT|BASE_BACKUP/,
    fault: 'backup-not-permitted',
    advice:
      'What answers there does not know the commands of replication: it is a connection pooler, or no PostgreSQL server. Give the instance the host and the port of the server itself.',
  },
  // The server does not know what was asked of it.
  { states: /^(0A000|42601)$/, isSending: false, fault: 'backup-not-permitted' },
];

/** What Node, OpenSSL and `pg` say, by their code or their words. */
const offline: readonly (Case & { fits: RegExp })[] = [
  {
    fits: /server does not support SSL/,
    fault: 'backup-not-permitted',
    advice:
      'Turn ssl on in the server. With tls "disable" the instance can be backed up without, and its data pass through the network in clear.',
  },
  {
    fits: /ERR_TLS_CERT_ALTNAME_INVALID/,
    fault: 'server-not-trusted',
    advice:
      'Its certificate is valid and is for other names than this host: give the instance one of those names as its host, or have a certificate made for this one.',
  },
  {
    fits: /DEPTH_ZERO_SELF_SIGNED_CERT/,
    fault: 'server-not-trusted',
    advice:
      'Its certificate is signed by itself. Compare it with the one on the server, and trust it as an authority: the instance’s own, or this host’s (NODE_EXTRA_CA_CERTS).',
  },
  {
    fits: /SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_GET_ISSUER_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE/,
    fault: 'server-not-trusted',
    advice:
      'The authority that signed its certificate is not known here: trust that authority, as the instance’s own or as this host’s (NODE_EXTRA_CA_CERTS). If it is trusted, the server leaves out the certificates in between.',
  },
  {
    fits: /CERT_HAS_EXPIRED/,
    fault: 'server-not-trusted',
    advice: 'By the clock of this host its certificate, or one that signed it, has expired: renew it.',
  },
  {
    fits: /CERT_NOT_YET_VALID/,
    fault: 'server-not-trusted',
    advice: 'By the clock of this host its certificate is not valid yet: compare the two clocks.',
  },
  {
    fits: /ALERT_(CERTIFICATE_REQUIRED|UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_\w+)|alert (certificate required|unknown ca|bad certificate)/i,
    fault: 'credentials-refused',
    advice:
      'The server does not accept the client certificate: give the instance one that is signed by an authority which the server trusts.',
  },
  {
    fits: /ALERT_PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|alert protocol version/i,
    fault: 'server-not-trusted',
    advice:
      'The server and this host have no version of TLS in common: see ssl_min_protocol_version and ssl_max_protocol_version.',
  },
  { fits: /CERT_|_CERT|certificate/i, fault: 'server-not-trusted' },
  {
    fits: /password must be a (non-empty )?string/,
    fault: 'credentials-refused',
    advice: 'The server asks for a password, and the instance has none.',
  },
  {
    fits: /server signature|server nonce/,
    fault: 'server-not-trusted',
    advice: 'What answers there does not know the password: it may not be the server.',
  },
  {
    fits: /Unknown authenticationOk|Only mechanism/,
    fault: 'backup-not-permitted',
    advice:
      'The server asks for a way to log in that backups do not have. Let the user in with scram-sha-256 in its pg_hba.conf.',
  },
  {
    fits: /error establishing an SSL connection/,
    fault: 'server-unreachable',
    advice:
      'What answers there answered neither yes nor no when it was asked for TLS: see that it is a PostgreSQL server.',
  },
  {
    fits: /ENOTFOUND/,
    fault: 'server-unreachable',
    advice: 'The name has no address here. See that it is written right, and that this host’s name servers know it.',
  },
  {
    fits: /\b(EMFILE|ENFILE|ENOBUFS|ENOMEM|EADDRNOTAVAIL)\b/,
    fault: 'server-unreachable',
    advice: 'It is this host that has no socket, memory or local port left for the connection.',
  },
  { fits: /EAI_AGAIN/, fault: 'server-unreachable', advice: 'The name servers of this host did not answer.' },
];

const mostChars = 1_900;

/** @param tried how the server was spoken to */
export function faultOfServer(error: unknown, tried: Tried): EngineFault {
  if (error instanceof EngineFault) return error;
  const state = sqlStateOf(error);
  const { fault, advice } = caseOf(error, state, tried);
  const said = saidBy(error);
  const text = [
    state === undefined ? `The server can't be reached: ${said}` : `${beginningOf(fault)}: ${said}`,
    ...(advice === undefined ? [] : [typeof advice === 'string' ? advice : advice(tried, wordsOf(error))]),
    triedAs(tried),
  ].join(' ');
  const before = tried.notices?.told(mostChars - text.length) ?? '';
  return new EngineFault(fault, before === '' ? text : `${text} ${before}`, { cause: error });
}

function caseOf(error: unknown, state: string | undefined, tried: Tried): Case {
  const words = wordsOf(error);
  if (state === undefined) {
    const about = `${fieldOf(error, 'code') ?? ''} ${words}`;
    return offline.find(({ fits }) => fits.test(about)) ?? unreachable;
  }
  const fits = (rule: Rule) =>
    rule.states.test(state) &&
    (rule.words?.test(words) ?? true) &&
    (rule.isSending ?? tried.isSending ?? false) === (tried.isSending ?? false);
  return rules.find(fits) ?? { fault: 'backup-aborted-by-server' };
}

function beginningOf(fault: EngineFaultCode): string {
  switch (fault) {
    case 'credentials-refused':
    case 'backup-not-permitted':
    case 'server-exhausted':
    case 'version-unsupported':
      return 'The server refuses';
    case 'server-data-damaged':
      return 'The server found damage in its data';
    default:
      return 'The server reports';
  }
}

function hbaLine({ endpoint, speaks }: Tried, words: string): string {
  const [, address = ''] = /host "([^"]+)"/.exec(words) ?? [];
  const from = isIP(address) === 0 ? 'ADDRESS' : `${address}/${isIP(address) === 4 ? 32 : 128}`;
  const kind = endpoint.tls === 'disable' ? 'host' : 'hostssl';
  const database = speaks === 'replication' ? 'replication' : endpoint.database;
  const clear = endpoint.tls === 'disable' && /no encryption/.test(words);
  return `Add a line to its pg_hba.conf, such as: ${kind} ${database} ${endpoint.user} ${from} scram-sha-256; then reload it.${clear ? ' If it has a line that begins with hostssl, give the instance tls "verify-full" or "require" instead.' : ''}`;
}

/** What was tried, for people: never the password. */
export function triedAs({ endpoint, speaks }: Pick<Tried, 'endpoint' | 'speaks'>): string {
  const { host, port, user, database, tls } = endpoint;
  const what = speaks === 'replication' ? 'a replication connection' : `a connection to database "${database}"`;
  return `Tried: ${what} to ${host.includes(':') ? `[${host}]` : host}:${port} as "${user}", with tls "${tls}".`;
}
