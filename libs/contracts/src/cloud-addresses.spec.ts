import { describe, expect, it } from '@jest/globals';
import { azureAddress } from './azure-address.js';
import { gcsAddress } from './gcs-address.js';
import { bucketAddress } from './vault-address.js';

describe('the address of a vault at Google or at Azure', () => {
  it('is a bucket or a container, with the file of its keys', () => {
    expect(gcsAddress(new URL('gs://acme-backups/iad?credentials=/run/google.json&lock=compliance'))).toMatchObject({
      bucket: 'acme-backups',
      prefix: 'iad/',
      credentialsFile: '/run/google.json',
      lock: 'compliance',
      anonymous: false,
    });
    expect(azureAddress(new URL('az://backups/iad?account=acmebackups'))).toMatchObject({
      bucket: 'backups',
      prefix: 'iad/',
      account: 'acmebackups',
      credentialsFile: undefined,
    });
  });

  it.each([
    ['gs://backups?region=secret-word', /has the parameter "region"; there are endpoint, credentials, lock/],
    ['gs://backups?credentials=none', /needs an endpoint=/],
    ['gs://me:secret-word@backups', /holds a user or a password/],
    ['az://backups', /needs the account=/],
    ['az://backups?account=Secret-Word', /needs the account=/],
    ['az://back--ups?account=acme', /needs the name of a bucket behind az:/],
  ])('is refused with what it must be: %s', (text, wrong) => {
    const found = bucketAddress(new URL(text));
    expect(found).toMatch(wrong);
    expect(String(found).toLowerCase()).not.toContain('secret-word');
  });
});
