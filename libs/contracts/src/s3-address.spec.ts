import { describe, expect, it } from '@jest/globals';
import { s3Address } from './s3-address.js';
import { vaultAddresses } from './vault-addresses.js';

const addressOf = (text: string) => s3Address(new URL(text));

describe('the address of a vault in a bucket', () => {
  it('is a bucket of AWS with its region', () => {
    expect(addressOf('s3://acme-backups/iad?region=eu-central-1')).toEqual({
      bucket: 'acme-backups',
      prefix: 'iad/',
      region: 'eu-central-1',
      endpoint: undefined,
      pathStyle: false,
      credentialsFile: undefined,
      lock: undefined,
    });
  });

  it('is a bucket of another store, with the path in front of it and the region that such stores have', () => {
    const url =
      's3://backups?endpoint=https://minio.example.com:9000&credentials=/run/secrets/iad.json&lock=compliance';
    expect(addressOf(url)).toEqual({
      bucket: 'backups',
      prefix: '',
      region: 'us-east-1',
      endpoint: new URL('https://minio.example.com:9000'),
      pathStyle: true,
      credentialsFile: '/run/secrets/iad.json',
      lock: 'compliance',
    });
  });

  it('takes the bucket into the host where that is asked for, and not where a certificate would not cover it', () => {
    const styleOf = (text: string) => Object(addressOf(text)).pathStyle;
    expect(styleOf('s3://b-1?endpoint=https://s3.example.com&pathStyle=false')).toBe(false);
    expect(styleOf('s3://acme.backups?region=eu-central-1')).toBe(true);
  });

  it.each([
    ['s3://backups', /needs region=/],
    ['s3://backups/a/b/?region=eu central', /needs a region=/],
    [
      's3://backups?region=eu-central-1&profile=secret-word',
      /^has the parameter "profile"; there are endpoint, region,/,
    ],
    ['s3://backups?region=a&region=b', /region twice/],
    ['s3://user:secret-word@backups?region=a', /holds a user or a password/],
    ['s3://user@backups?region=a', /holds a user or a password/],
    ['s3://Backups?region=a', /name of a bucket/],
    ['s3:///folder?region=a', /name of a bucket/],
    ['s3://backups:9000?region=a', /name of a bucket/],
    ['s3://backups/a%20b?region=a', /prefix with other characters/],
    ['s3://backups/a//b?region=a', /prefix with other characters/],
    ['s3://backups?endpoint=minio.example.com', /needs an endpoint= like/],
    ['s3://backups?endpoint=ftp://minio.example.com', /needs an endpoint= like/],
    ['s3://backups?endpoint=https://me:secret-word@minio.example.com', /needs an endpoint= like/],
    ['s3://backups?endpoint=https://minio.example.com/path', /needs an endpoint= like/],
    ['s3://backups?region=a&pathStyle=yes', /pathStyle=true or pathStyle=false/],
    ['s3://backups?region=a&credentials=keys.json', /absolute path/],
    ['s3://backups?region=a&lock=forever', /lock=governance or lock=compliance/],
  ])('is refused with what it must be: %s', (text, wrong) => {
    expect(addressOf(text)).toMatch(wrong);
    expect(addressOf(text)).not.toMatch('secret-word');
  });

  it('is refused with the name of its region in a list of vaults', () => {
    expect(vaultAddresses(['DFW=file:///vaults/DFW', 'IAD=s3://backups?region=a&lock=no'])).toBe(
      'must give each region a right address, and that of IAD needs lock=governance or lock=compliance',
    );
    expect(vaultAddresses(['DFW=file:///vaults/DFW', 'IAD=s3://backups?region=a'])).toBeInstanceOf(Map);
  });
});
