import { describe, expect, it } from '@jest/globals';
import { EngineFault } from '../engine-fault.js';
import { faultOfServer, type Tried } from './server-fault.js';
import { Notices } from './server-words.js';

const endpoint = { host: 'db.example', port: 5432, user: 'backup', database: 'shop', tls: 'disable' } as const;
const tried: Tried = { endpoint, speaks: 'replication' };
const said = (code: string, message: string, more: object = {}, how: Partial<Tried> = {}) =>
  faultOfServer(Object.assign(new Error(message), { code, ...more }), { ...tried, ...how });

/** The whole message, where there is no certain advice: what came back, and what was tried. */
const noAdvice =
  /^The server (refuses|reports|can't be reached): .* Tried: [^.]+\.example:5432 as "backup", with tls "disable"\.$/;

describe('what a server says is wrong', () => {
  it.each([
    [
      '28P01',
      'password authentication failed for user "backup"',
      'credentials-refused',
      false,
      'right user and password',
    ],
    [
      '28000',
      'no pg_hba.conf entry for replication connection from host "10.1.2.3", user "backup", no encryption',
      'backup-not-permitted',
      false,
      'Add a line to its pg_hba.conf, such as: host replication backup 10.1.2.3/32 scram-sha-256; then reload it.',
    ],
    [
      '28000',
      'no pg_hba.conf entry for replication connection from host "fd00::7", user "backup", no encryption',
      'backup-not-permitted',
      false,
      'host replication backup fd00::7/128 scram-sha-256',
    ],
    [
      '28000',
      'pg_hba.conf rejects replication connection for host "10.1.2.3", user "backup", no encryption',
      'backup-not-permitted',
      false,
      'method "reject"',
    ],
    ['28000', 'connection requires a valid client certificate', 'credentials-refused', false, 'a client certificate'],
    ['28000', 'certificate authentication failed for user "backup"', 'credentials-refused', false, 'common name'],
    ['28000', 'role "backup" does not exist', 'credentials-refused', false, 'Make the role'],
    ['28000', 'role "backup" is not permitted to log in', 'credentials-refused', false, 'ALTER ROLE "backup" LOGIN'],
    [
      '42501',
      'permission denied to start WAL sender',
      'backup-not-permitted',
      false,
      'ALTER ROLE "backup" REPLICATION',
    ],
    [
      '42501',
      'must be superuser or replication role to start walsender',
      'backup-not-permitted',
      false,
      'ALTER ROLE "backup" REPLICATION',
    ],
    ['3D000', 'database "shop" does not exist', 'backup-not-permitted', false, 'name of a database'],
    [
      '53300',
      'number of requested standby connections exceeds "max_wal_senders" (currently 0)',
      'backup-not-permitted',
      false,
      'Set max_wal_senders above 0',
    ],
    [
      '53300',
      'number of requested standby connections exceeds "max_wal_senders" (currently 10)',
      'server-exhausted',
      true,
      'Raise max_wal_senders, or let another backup end first',
    ],
    ['53400', 'all replication slots are in use', 'server-exhausted', true, 'Raise max_replication_slots'],
    [
      '55000',
      'replication slots can only be used if "wal_level" >= "replica"',
      'backup-not-permitted',
      false,
      'Set wal_level to replica or higher',
    ],
    [
      '55000',
      'replication slots can only be used if "max_replication_slots" > 0',
      'backup-not-permitted',
      false,
      'Set max_replication_slots above 0',
    ],
    ['55000', 'the standby was promoted during online backup', 'backup-aborted-by-server', true, 'Take it again'],
    ['57P03', 'the database system is starting up', 'server-unreachable', true, 'See that the server is up'],
    ['08P01', 'unsupported startup parameter: replication', 'backup-not-permitted', false, 'A connection pooler'],
    ['08P01', 'bouncer config error', 'backup-not-permitted', false, 'A connection pooler'],
    [
      '42601',
      'syntax error at or near "IDENTIFY_SYSTEM"',
      'backup-not-permitted',
      false,
      'it is a connection pooler, or',
    ],
    ['XX001', 'checksum verification failure during base backup', 'server-data-damaged', false, '"A damaged page"'],
    ['XX002', 'index "a" contains a corrupted page', 'server-data-damaged', false, '"A damaged page"'],
    ['42704', 'unrecognized configuration parameter "idle_session_timeout"', 'version-unsupported', false, 'Upgrade'],
    ['ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:1', 'server-unreachable', true, 'this host may connect'],
    ['ETIMEDOUT', 'nothing answered at 10.0.0.1 within 10 s', 'server-unreachable', true, 'See that it is up'],
    ['ECONNRESET', 'read ECONNRESET', 'server-unreachable', true, 'See that it is up'],
    ['EHOSTUNREACH', 'connect EHOSTUNREACH 10.0.0.1:5432', 'server-unreachable', true, 'See that it is up'],
    ['', 'Connection terminated unexpectedly', 'server-unreachable', true, 'See that it is up'],
    ['ENOTFOUND', 'getaddrinfo ENOTFOUND db.example', 'server-unreachable', true, 'no address here'],
    ['EAI_AGAIN', 'getaddrinfo EAI_AGAIN db.example', 'server-unreachable', true, 'name servers of this host'],
    ['', 'The server does not support SSL connections', 'backup-not-permitted', false, 'tls "disable"'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed certificate', 'server-not-trusted', false, 'NODE_EXTRA_CA_CERTS'],
    [
      'SELF_SIGNED_CERT_IN_CHAIN',
      'self-signed certificate in certificate chain',
      'server-not-trusted',
      false,
      'is not known here',
    ],
    [
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'unable to verify the first certificate',
      'server-not-trusted',
      false,
      'is not known here',
    ],
    ['CERT_HAS_EXPIRED', 'certificate has expired', 'server-not-trusted', false, 'renew it'],
    ['CERT_NOT_YET_VALID', 'certificate is not yet valid', 'server-not-trusted', false, 'compare the two clocks'],
    [
      'ERR_TLS_CERT_ALTNAME_INVALID',
      "Hostname/IP does not match certificate's altnames: Host: db.example. is not in the cert's altnames: DNS:db",
      'server-not-trusted',
      false,
      'is valid and is for other names',
    ],
    [
      'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
      'tlsv13 alert certificate required',
      'credentials-refused',
      false,
      'does not accept the client certificate',
    ],
    [
      'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
      'tlsv1 alert protocol version',
      'server-not-trusted',
      false,
      'no version of TLS in common',
    ],
    [
      '',
      'SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a non-empty string',
      'credentials-refused',
      false,
      'the instance has none',
    ],
    ['', 'Unknown authenticationOk message type 7', 'backup-not-permitted', false, 'scram-sha-256'],
  ])('%s %s becomes a fault that says what to do', (code, message, fault, retryable, next) => {
    const found = said(code, message);
    expect(found).toMatchObject({ code: fault, name: 'EngineFault', retryable });
    expect(found.message).toContain(message);
    expect(found.message).toContain(next);
    expect(found.message).toContain('db.example:5432 as "backup"');
  });

  it.each([
    ['28000', 'Ident authentication failed for user "backup"', 'credentials-refused', false],
    ['28000', 'die Rolle »backup« existiert nicht', 'credentials-refused', false],
    ['42501', 'permission denied for function pg_read_file', 'backup-not-permitted', false],
    ['53300', 'sorry, too many clients already', 'server-exhausted', true],
    ['53300', 'too many connections for role "backup"', 'server-exhausted', true],
    ['53100', 'could not write to file "pg_wal/xlogtemp.7": No space left on device', 'server-exhausted', true],
    ['53200', 'out of memory', 'server-exhausted', true],
    ['54000', 'file name too long for tar format: "x"', 'backup-not-permitted', false],
    ['55000', 'something of a newer version is not as it must be', 'backup-not-permitted', false],
    ['57P01', 'terminating connection due to administrator command', 'server-unreachable', true],
    ['57P02', 'terminating connection because of crash of another server process', 'server-unreachable', true],
    ['57014', 'canceling statement due to user request', 'backup-aborted-by-server', true],
    ['58P01', 'could not open file "base/5/16384": No such file or directory', 'backup-aborted-by-server', true],
    ['58030', 'could not read file "base/5/16384": Input/output error', 'backup-aborted-by-server', true],
    ['08006', 'connection failure', 'server-unreachable', true],
    ['0A000', 'BASE_BACKUP is not supported by this service', 'backup-not-permitted', false],
    ['XX000', 'WAL segment has already been removed', 'backup-aborted-by-server', true],
  ])('%s %s is told as it came, with what was tried, and without a guess', (code, message, fault, retryable) => {
    const found = said(code, message);
    expect(found).toMatchObject({ code: fault, retryable });
    expect(found.message).toMatch(noAdvice);
    expect(found.message).toContain(`${message} (${code}).`);
  });

  it('keeps the server’s severity, detail and hint: what is to be set may be on another server', () => {
    const message = 'WAL generated with "full_page_writes=off" was replayed since last restartpoint';
    const detail = 'This means that the backup being taken on the standby is corrupt and should not be used.';
    const hint = 'Enable "full_page_writes" and run CHECKPOINT on the primary, and then try an online backup again.';
    const found = said('55000', message, { severity: 'ERROR', detail, hint });
    expect(found).toMatchObject({ code: 'backup-not-permitted', retryable: false });
    expect(found.message).toBe(
      `The server refuses: ${message} (ERROR 55000). Detail: ${detail} Hint: ${hint} Tried: a replication connection to db.example:5432 as "backup", with tls "disable".`,
    );
  });

  it('tells a standby that lets nobody in from a server that starts', () => {
    const refusal = 'the database system is not accepting connections';
    const found = said('57P03', refusal, { detail: 'Hot standby mode is disabled.' });
    expect(found).toMatchObject({ code: 'backup-not-permitted', retryable: false });
    expect(found.message).toContain('turn it on, or back up its primary');
    const starting = said('57P03', refusal, { detail: 'Recovery snapshot is not yet ready for hot standby.' });
    expect(starting).toMatchObject({ code: 'server-unreachable', retryable: true });
  });

  it('takes what is refused once a backup is sent for the end of that backup, whatever the language', () => {
    const found = said('55000', 'der Standby wurde während der Sicherung befördert', {}, { isSending: true });
    expect(found).toMatchObject({ code: 'backup-aborted-by-server', retryable: true });
  });

  it('tells of every address that was tried', () => {
    const both = Object.assign(new Error('two'), {
      message: '',
      errors: [new Error('connect ECONNREFUSED ::1:5432'), new Error('connect ECONNREFUSED 127.0.0.1:5432')],
    });
    expect(faultOfServer(both, tried).message).toContain(
      'connect ECONNREFUSED ::1:5432, connect ECONNREFUSED 127.0.0.1:5432',
    );
  });

  it('shows the warnings that came before, as many as there is room for, and cuts them first', () => {
    const notices = new Notices();
    for (let block = 0; block < 300; block += 1) {
      notices.add({
        severity: 'WARNING',
        message: `checksum verification failed in file "./base/5/16384", block ${block}`,
      });
    }
    const long = { detail: 'd'.repeat(5_000), hint: `h${'😀'.repeat(2_000)}` };
    for (const more of [{}, long]) {
      const found = said('XX001', `m${'m'.repeat(5_000)}`, more, { notices });
      expect(found.message.length).toBeLessThanOrEqual(2_000);
      expect(found.message).toContain('db.example:5432');
      expect(found.message).toContain('"A damaged page"');
      // Half of a character can't be recorded.
      expect(found.message).toBe(Buffer.from(found.message).toString());
    }
    const found = said('XX001', 'checksum verification failure during base backup', {}, { notices });
    expect(found.message).toMatch(
      /Before that it said: WARNING: checksum verification failed in file ".\/base\/5\/16384", block 0; /,
    );
    expect(found.message).toMatch(/; and 2\d\d more\.$/);
  });

  it('shows where it was, and the detail and the hint of what came before', () => {
    const notices = new Notices();
    notices.add({ severity: 'WARNING', message: 'could not read it', detail: 'Its disk fails.', hint: 'Look at it.' });
    const found = said(
      'P0001',
      'not at this time',
      { where: 'PL/pgSQL function closed() line 3 at RAISE' },
      { notices },
    );
    expect(found.message).toContain('Where: PL/pgSQL function closed() line 3 at RAISE.');
    expect(found.message).toContain('WARNING: could not read it (Its disk fails. Look at it.)');
  });

  it('keeps twenty warnings of a backup that is good, and nothing that is less than a warning', () => {
    const notices = new Notices();
    notices.add({ severity: 'NOTICE', message: 'it begins' });
    for (let file = 0; file < 30; file += 1) notices.add({ severity: 'WARNING', message: `file ${file}` });
    expect(notices.warnings).toHaveLength(20);
    expect(notices.warnings[0]).toBe('WARNING: file 0');
  });

  it.each(['EMFILE', 'ENFILE', 'ENOBUFS', 'EADDRNOTAVAIL'])(
    'does not blame the server for what this host lacks (%s)',
    (code) => {
      const found = said(code, `connect ${code} 10.1.2.3:5432`);
      expect(found).toMatchObject({ code: 'server-unreachable', retryable: true });
      expect(found.message).toContain('It is this host that has no');
      expect(found.message).not.toContain('See that it is up');
    },
  );

  it('asks for a line of pg_hba.conf that fits the connection', () => {
    const secured = { endpoint: { ...endpoint, tls: 'verify-full' }, speaks: 'sql' } as const;
    const refusal = 'no pg_hba.conf entry for host "10.1.2.3", user "backup", database "shop", SSL encryption';
    expect(said('28000', refusal, {}, secured).message).toContain('hostssl shop backup 10.1.2.3/32 scram-sha-256');
    expect(said('28000', refusal, {}, secured).message).not.toContain('instead');
  });

  it('stays what it is when it is a fault already', () => {
    const fault = new EngineFault('server-stalled', 'The server sent nothing for 120 s.');
    expect(faultOfServer(fault, tried)).toBe(fault);
  });
});
