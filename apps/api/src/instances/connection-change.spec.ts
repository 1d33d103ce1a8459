import { describe, expect, it } from '@jest/globals';
import { CertificateAuthority, withoutReadableEnd } from '../../../../test/services/certificates.js';
import { warningsOfCertificates } from './connection-change.js';

const endpoint = { host: 'db', port: 5432, user: 'backup', database: 'postgres', tls: 'verify-full' } as const;
const authority = CertificateAuthority.create('authority');
const ends = new Date('2026-01-01T00:00:00.000Z');
const { certificate } = authority.issue({ name: 'backup', expires: ends });
const warnings = (clientCertificate: string, now: Date) =>
  warningsOfCertificates({ ...endpoint, clientCertificate }, now);

describe('the warnings of certificates', () => {
  it('begin a month before the end, name the certificate, and give its end', () => {
    expect(warnings(certificate, new Date('2025-11-30'))).toEqual([]);
    expect(warnings(certificate, new Date('2025-12-15'))).toEqual([
      'The client certificate "CN=backup" ends at 2026-01-01T00:00:00.000Z: give the instance a new one.',
    ]);
    expect(warnings(certificate, ends)[0]).toContain('has ended');
  });

  it('name no certificate that has no name', () => {
    const nameless = authority.issue({ name: '', expires: ends }).certificate;
    expect(warnings(nameless, ends)[0]).not.toContain('undefined');
  });

  it('do not keep an instance from being read whose certificate has an end that is no time', () => {
    expect(warnings(withoutReadableEnd(certificate), ends)).toEqual([]);
  });
});
