/** The secrets of a local stack. The first start makes them, and only the owner of the data folder can read them. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writeJson } from './whole-file.js';

const secrets = z.object({
  databasePassword: z.string(),
  /** The password of each service's own role in the database. */
  rolePasswords: z.object({ api: z.string(), scheduler: z.string(), replicator: z.string() }),
  demoPassword: z.string(),
  secretKey: z.string(),
  accountId: z.string(),
  otherAccountId: z.string(),
  tokens: z.object({ admin: z.string(), creator: z.string(), observer: z.string(), other: z.string() }),
});
const storeKeys = z.object({ accessKeyId: z.string(), secretAccessKey: z.string() });
export type StoreKeys = z.infer<typeof storeKeys>;

export type Secrets = z.infer<typeof secrets>;

const keptSecrets = secrets.partial({ rolePasswords: true });

const word = () => randomBytes(24).toString('base64url');

const rolePasswords = () => ({ api: word(), scheduler: word(), replicator: word() });

export function readOrMakeSecrets(folder: string): Secrets {
  const path = join(folder, 'secrets.json');
  if (existsSync(path)) return readSecrets(path);
  const made: Secrets = {
    databasePassword: word(),
    rolePasswords: rolePasswords(),
    demoPassword: word(),
    secretKey: randomBytes(32).toString('base64'),
    accountId: 'demo',
    otherAccountId: 'other',
    tokens: { admin: word(), creator: word(), observer: word(), other: word() },
  };
  writeJson(path, made);
  return made;
}

/** What an older version did not know is made now. */
function readSecrets(path: string): Secrets {
  const kept = keptSecrets.parse(JSON.parse(readFileSync(path, 'utf8')));
  if (kept.rolePasswords) return secrets.parse(kept);
  const made = secrets.parse({ ...kept, rolePasswords: rolePasswords() });
  writeJson(path, made);
  return made;
}

/** The keys of the stack's own S3 server, in a file as the address of a vault names one. */
export function readOrMakeStoreKeys(path: string): StoreKeys {
  if (existsSync(path)) return storeKeys.parse(JSON.parse(readFileSync(path, 'utf8')));
  const made = { accessKeyId: `strongroom-${randomBytes(4).toString('hex')}`, secretAccessKey: word() };
  writeJson(path, made);
  return made;
}

/** Writes the tokens file of the API. It holds digests only. */
export function writeTokensFile(folder: string, { accountId, otherAccountId, tokens }: Secrets): string {
  const path = join(folder, 'tokens.json');
  const entry = (name: string, token: string, account: string, role: string) => ({
    name,
    sha256: createHash('sha256').update(token).digest('hex'),
    accountId: account,
    roles: [role],
  });
  const entries = [
    entry('admin', tokens.admin, accountId, 'admin'),
    entry('creator', tokens.creator, accountId, 'creator'),
    entry('observer', tokens.observer, accountId, 'observer'),
    entry('other', tokens.other, otherAccountId, 'admin'),
  ];
  writeJson(path, entries);
  return path;
}
