import { describe, expect, it } from '@jest/globals';
import { EngineFault } from '../engine-fault.js';
import { faultOfServer } from './server-fault.js';

const said = (code: string, message: string) => faultOfServer(Object.assign(new Error(message), { code }));

describe('what a server says is wrong', () => {
  it.each([
    ['28P01', 'password authentication failed for user "backup"', 'credentials-refused', 'Register the instance again'],
    [
      '28000',
      'no pg_hba.conf entry for replication connection',
      'backup-not-permitted',
      'Add a line to its pg_hba.conf',
    ],
    ['28000', 'role "backup" is not permitted to log in', 'credentials-refused', 'may log in'],
    ['42501', 'permission denied to start WAL sender', 'backup-not-permitted', 'ALTER ROLE … REPLICATION'],
    ['53300', 'exceeds "max_wal_senders" (currently 0)', 'backup-not-permitted', 'wal_level is replica'],
    ['53400', 'all replication slots are in use', 'backup-not-permitted', 'Raise max_replication_slots'],
    ['55000', 'replication slots can only be used if', 'backup-not-permitted', 'wal_level is replica'],
    ['57P03', 'the database system is starting up', 'server-unreachable', 'See that the server is up'],
    ['XX000', 'WAL segment has already been removed', 'backup-aborted-by-server', 'Its log may say more'],
    ['ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:1', 'server-unreachable', 'this host may connect'],
    ['', 'Connection terminated unexpectedly', 'server-unreachable', 'See that it is up'],
    ['', 'The server does not support SSL connections', 'backup-not-permitted', 'tls "disable"'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed certificate', 'server-unreachable', 'NODE_EXTRA_CA_CERTS'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', "Hostname/IP does not match certificate's altnames", 'server-unreachable', 'tls'],
  ])('%s %s becomes a fault that says what to do', (code, message, fault, next) => {
    const found = said(code, message);
    expect(found).toMatchObject({ code: fault, name: 'EngineFault' });
    expect(found.message).toContain(message);
    expect(found.message).toContain(next);
  });

  it('gives the server’s own hint where it has one: what is to be set may be on another server', () => {
    const message = 'WAL generated with "full_page_writes=off" was replayed since last restartpoint';
    const hint = 'Enable "full_page_writes" and run CHECKPOINT on the primary, and then try an online backup again.';
    const found = faultOfServer(Object.assign(new Error(message), { code: '55000', hint }));
    expect(found).toMatchObject({ code: 'backup-not-permitted', message: expect.stringContaining(hint) });
    expect(found.message).not.toContain('wal_level');
  });

  it('can be tried again when a standby was promoted meanwhile', () => {
    const found = said('55000', 'the standby was promoted during online backup');
    expect(found).toMatchObject({ code: 'backup-aborted-by-server', retryable: true });
    expect(found.message).toContain('Take it again');
  });

  it('tells of every address that was tried', () => {
    const both = Object.assign(new Error('two'), {
      message: '',
      errors: [new Error('connect ECONNREFUSED ::1:5432'), new Error('connect ECONNREFUSED 127.0.0.1:5432')],
    });
    expect(faultOfServer(both).message).toContain('connect ECONNREFUSED ::1:5432, connect ECONNREFUSED 127.0.0.1:5432');
  });

  it('stays what it is when it is a fault already', () => {
    const fault = new EngineFault('server-stalled', 'The server sent nothing for 120 s.');
    expect(faultOfServer(fault)).toBe(fault);
  });
});
