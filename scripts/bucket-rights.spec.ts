import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';

const page = readFileSync(join(__dirname, '..', 'docs', 'operations.md'), 'utf8');
const statement = z.strictObject({
  Sid: z.string(),
  Effect: z.enum(['Allow', 'Deny']),
  Action: z.array(z.string().regex(/^s3:[A-Z]\w+$/)),
  Resource: z.string().regex(/^arn:aws:s3:::[a-z-]+(\/[a-z]+\/\*)?$/),
});
const policy = z.strictObject({ Version: z.literal('2012-10-17'), Statement: z.array(statement).min(1) });

/** The rights that each request of the SDK needs, from the reference of AWS. */
const needed: Readonly<Record<string, readonly string[]>> = {
  PutObjectCommand: ['s3:PutObject'],
  GetObjectCommand: ['s3:GetObject'],
  HeadObjectCommand: ['s3:GetObject'],
  CopyObjectCommand: ['s3:GetObject', 's3:PutObject'],
  ListObjectsV2Command: ['s3:ListBucket'],
  ListObjectVersionsCommand: ['s3:ListBucketVersions'],
  GetBucketVersioningCommand: ['s3:GetBucketVersioning'],
  DeleteObjectsCommand: ['s3:DeleteObject', 's3:DeleteObjectVersion'],
  PutObjectRetentionCommand: ['s3:PutObjectRetention'],
  GetObjectLockConfigurationCommand: ['s3:GetBucketObjectLockConfiguration'],
};

const section = page.slice(page.indexOf('\n## Buckets\n'), page.indexOf('\n## A damaged page\n'));
const [writing, reading] = [...section.matchAll(/```json\n([\s\S]*?)```/g)].map(([, json = '']) =>
  policy.parse(JSON.parse(json)),
);
const allowed = (of: typeof writing) =>
  new Set(of?.Statement.flatMap(({ Effect, Action }) => (Effect === 'Allow' ? Action : [])));

function requestsIn(...files: string[]): string[] {
  const folder = join(__dirname, '..', 'libs', 'vault', 'src', 's3');
  const text = files.map((name) => readFileSync(join(folder, name), 'utf8')).join('');
  return [...new Set(Array.from(text.matchAll(/new (?:connection\.)?sdk\.(\w+Command)\(/g), ([, name = '']) => name))];
}

describe('the rights for a bucket', () => {
  it('let the services make every request that the vault of a bucket makes', () => {
    const requests = requestsIn('s3-wire.ts', 's3-copy.ts', 's3-deletion.ts');
    expect(requests.length).toBeGreaterThan(5);
    expect(requests.filter((name) => needed[name] === undefined)).toEqual([]);
    const rights = allowed(writing);
    for (const name of requests)
      for (const right of needed[name] ?? []) expect([name, rights.has(right)]).toEqual([name, true]);
  });

  it('never let a lock be gone round, and let a reader change nothing', () => {
    expect(writing?.Statement.filter(({ Effect }) => Effect === 'Deny').flatMap(({ Action }) => Action)).toEqual([
      's3:BypassGovernanceRetention',
    ]);
    expect([...allowed(reading)].filter((right) => /Put|Delete|Bypass/.test(right))).toEqual([]);
    expect([...allowed(reading)].sort()).toEqual(['s3:GetObject', 's3:ListBucket']);
  });
});
