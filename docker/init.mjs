/**
 * Runs once before the stack's services. It makes the secrets that are missing, gives each service only those that it
 * needs, makes the buckets, and makes the apps' user the owner of the vaults' volumes. A second run changes nothing.
 *
 * node init.mjs                prepares
 * node init.mjs show [NAME]    prints one secret, or the names of all
 * node init.mjs rotate-key     puts a new key first in the ring that seals credentials, and prepares
 * node init.mjs drop-key ID    drops a former key, under which nothing is sealed any more, and prepares
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { newIdentity, X25519Identity } from '../dist/libs/encryption/src/index.js';

const keptIn = '/init/secrets';
const readersIn = '/init/for';
const vaultsIn = '/vaults';
const bucketsIn = '/buckets';
const buckets = ['strongroom-iad', 'strongroom-ord'];

/** The user of this image, and the user of the server in the official PostgreSQL image. */
const apps = 1000;
const postgres = 999;

const word = () => randomBytes(32).toString('base64url');
const kept = {
  'database-superuser-password': word,
  'database-password': word,
  'database-password-of-api': word,
  'database-password-of-scheduler': word,
  'database-password-of-replicator': word,
  'demo-superuser-password': word,
  'demo-backup-password': word,
  's3-access-key': () => `strongroom-${randomBytes(6).toString('hex')}`,
  's3-secret-key': word,
  'secret-key': () => randomBytes(32).toString('base64'),
  // It opens the backups: who loses it loses them.
  'backup-key': newIdentity,
  'chain-key': newIdentity,
  'admin-token': word,
  'creator-token': word,
  'observer-token': word,
};

const say = (text) => process.stdout.write(`${text}\n`);

/** What each service finds in its /run/secrets. */
function handedOut(secret) {
  const recipientOf = (name) => new X25519Identity(secret[name]).recipient.text;
  const databaseUrl = (role, password) => `postgres://${role}:${secret[password]}@database:5432/strongroom`;
  const urlOf = (service) => databaseUrl(`strongroom_${service}`, `database-password-of-${service}`);
  const tokens = ['admin', 'creator', 'observer'].map((role) => ({
    name: role,
    sha256: createHash('sha256').update(secret[`${role}-token`]).digest('hex'),
    accountId: process.env.STRONGROOM_ACCOUNT ?? 'demo',
    roles: [role],
  }));
  const s3Keys = JSON.stringify({
    accessKeyId: secret['s3-access-key'],
    secretAccessKey: secret['s3-secret-key'],
  });
  return {
    s3: {
      owner: apps,
      files: {
        'keys.env': `export ROOT_ACCESS_KEY_ID=${secret['s3-access-key']}\nexport ROOT_SECRET_ACCESS_KEY=${secret['s3-secret-key']}\n`,
      },
    },
    database: {
      owner: postgres,
      files: {
        'superuser-password': secret['database-superuser-password'],
        'strongroom-password': secret['database-password'],
        'api-password': secret['database-password-of-api'],
        'scheduler-password': secret['database-password-of-scheduler'],
        'replicator-password': secret['database-password-of-replicator'],
      },
    },
    'demo-customer': {
      owner: postgres,
      files: {
        'superuser-password': secret['demo-superuser-password'],
        'backup-password': secret['demo-backup-password'],
      },
    },
    api: {
      owner: apps,
      files: {
        'database-url': urlOf('api'),
        'secret-key': secret['secret-key'],
        'tokens.json': JSON.stringify(tokens, null, 2),
      },
    },
    scheduler: {
      owner: apps,
      files: {
        'database-url': urlOf('scheduler'),
        'secret-key': secret['secret-key'],
        'recipients.json': JSON.stringify({ default: [{ key: recipientOf('backup-key'), name: 'backup-key' }] }),
        'chain-key': secret['chain-key'],
        's3-keys.json': s3Keys,
        // Only a host that builds servers from backups has the key that opens them.
        ...(process.env.STRONGROOM_BUILT_SERVERS === 'on' && { 'restore-key': secret['backup-key'] }),
      },
    },
    replicator: { owner: apps, files: { 'database-url': urlOf('replicator'), 's3-keys.json': s3Keys } },
    migrate: { owner: apps, files: { 'database-url': databaseUrl('strongroom', 'database-password') } },
  };
}

/** The file is written whole or not at all: the run after one that was stopped finds no half of a secret. */
function write(file, content, owner) {
  writeFileSync(`${file}.new`, content, { mode: 0o400, flush: true });
  if (owner !== undefined) chownSync(`${file}.new`, owner, owner);
  renameSync(`${file}.new`, file);
}

function prepare() {
  for (const [name, make] of Object.entries(kept)) {
    const file = join(keptIn, name);
    if (!existsSync(file)) write(file, make());
  }
  const secret = Object.fromEntries(Object.keys(kept).map((name) => [name, readFileSync(join(keptIn, name), 'utf8')]));
  const readers = handedOut(secret);
  for (const [reader, { owner, files }] of Object.entries(readers)) {
    const folder = join(readersIn, reader);
    mkdirSync(folder, { recursive: true });
    for (const [name, content] of Object.entries(files)) write(join(folder, name), content, owner);
  }
  const regions = readdirSync(vaultsIn);
  for (const region of regions) give(join(vaultsIn, region));
  // A folder in it is a bucket. Once the folder is given away, only its owner may look into it.
  if (statSync(bucketsIn).uid !== apps) {
    for (const bucket of buckets) {
      mkdirSync(join(bucketsIn, bucket), { recursive: true });
      give(join(bucketsIn, bucket));
    }
    give(bucketsIn);
  }
  say('backup-key opens the backups. Keep a copy of it elsewhere: docker compose run --rm init show backup-key');
  say(`secrets ready for ${Object.keys(readers).join(', ')}; vaults ready: ${regions.join(', ')}`);
}

/** Makes the apps' user the only one who may enter a folder. */
function give(folder) {
  if (statSync(folder).uid === apps) return;
  chmodSync(folder, 0o700);
  chownSync(folder, apps, apps);
}

function show(name) {
  if (name === undefined) return say(Object.keys(kept).join('\n'));
  if (!Object.hasOwn(kept, name))
    throw new Error(`there is no secret "${name}"; there are: ${Object.keys(kept).join(', ')}`);
  say(readFileSync(join(keptIn, name), 'utf8'));
}

/** The former keys stay, for what they have sealed. The API seals it anew. */
function rotateKey() {
  changeRing((ring) => [kept['secret-key'](), ...ring]);
}

function dropKey(id) {
  changeRing((ring) => {
    const at = ring.findIndex((key) => idOf(key) === id);
    if (at > 0) return ring.filter((_, index) => index !== at);
    const former = ring.slice(1).map(idOf).join(', ') || 'none';
    throw new Error(
      at === 0
        ? `key ${id} is the first and seals credentials: rotate-key puts another in its place`
        : `there is no key ${id} to drop; the former keys are: ${former}`,
    );
  });
}

/** As `strongroom keys list` names it. */
function idOf(key) {
  const bytes = Buffer.from(key, 'base64');
  return createHash('sha256').update('strongroom key id\n').update(bytes).digest('hex').slice(0, 16);
}

/** A service may seal under a new key at once. So two that change the ring at a time must not lose a key: the second is refused. */
function changeRing(change) {
  const file = join(keptIn, 'secret-key');
  const held = `${file}.held`;
  try {
    writeFileSync(held, '', { flag: 'wx' });
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    throw new Error(
      `somebody else changes the ring now, or was stopped while doing so. Try again, or remove ${held} when nobody does: docker compose run --rm --entrypoint rm init ${held}`,
    );
  }
  try {
    const ring = existsSync(file) ? readFileSync(file, 'utf8').trim().split(',') : [];
    write(file, change(ring).join(','));
    prepare();
  } finally {
    rmSync(held, { force: true });
  }
}

const [command, name] = process.argv.slice(2);
if (command === undefined) prepare();
else if (command === 'show') show(name);
else if (command === 'rotate-key') rotateKey();
else if (command === 'drop-key') dropKey(name);
else throw new Error(`unknown command "${command}"; there are: show [NAME], rotate-key, drop-key ID`);
