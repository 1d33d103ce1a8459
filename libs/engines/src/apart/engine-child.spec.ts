import { describe, expect, it } from '@jest/globals';
import { asForOwner } from './engine-child.js';

describe('a process that works with a stranger’s bytes', () => {
  it('has nothing of the environment of its owner but where certificates and the modules of OpenSSL lie', () => {
    const ofOpenssl = { OPENSSL_CONF: '/etc/ssl/fips.cnf', OPENSSL_MODULES: '/usr/lib/ossl-modules' };
    const ofCertificates = {
      NODE_EXTRA_CA_CERTS: '/etc/ca.pem',
      SSL_CERT_FILE: '/etc/a.pem',
      SSL_CERT_DIR: '/etc/ssl',
    };
    const secrets = { STRONGROOM_SECRET_KEY: 'hush', PGPASSWORD: 'hush', NODE_OPTIONS: '--require /tmp/x' };
    const { env, options } = asForOwner({ ...ofOpenssl, ...ofCertificates, ...secrets, PATH: '/of/the/owner' }, false);
    expect(env).toEqual({
      ...ofOpenssl,
      ...ofCertificates,
      PATH: '/usr/local/bin:/usr/bin:/bin',
      LANG: 'C',
      TZ: 'UTC',
    });
    expect(options).toEqual([]);
  });

  it('has algorithms of FIPS 140 alone where its owner has', () => {
    expect(asForOwner({}, true).options).toEqual(['--enable-fips']);
  });
});
