/**
 * The work of `strongroom keys`: it shows the keys that seal the credentials of instances, and puts a new one in the place of the first. No
 * key is ever printed, unless the caller asks for it.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { messageOf } from '@strongroom/contracts';
import { Credentials, KeyRing, secretKeyBytes, secretKeysIn } from '@strongroom/credentials';
import { z } from 'zod';
import type { PrintOptions } from './api/api-options.js';
import { type Column, printRows } from './api/printing.js';
import { UsageFault } from './command-fault.js';
import { onDatabase } from './open-database.js';
import { note, say, sayJson } from './output.js';

const variable = 'STRONGROOM_SECRET_KEY';
const localSecrets = '.strongroom/secrets.json';
const kept = z.looseObject({ secretKey: z.string() });

/** Where the ring lies, and how it is written back. */
interface Place {
  name: string;
  text: string;
  /** Undefined where it lies in no file. */
  write?: (text: string) => void;
}

export interface RotateOptions {
  file?: string;
  print?: true;
  dropUnused?: true;
  json?: true;
}

/** What `rotate --json` prints. Fields may be added, and none ever changes. */
interface Rotated {
  /** The ids of the keys of the ring, of which the first seals. */
  keys: string[];
  dropped: string[];
  /** The ring itself, with `--print` alone. */
  ring?: string;
}

export interface ListKeysOptions extends PrintOptions {
  file?: string;
}

/** A key as `--json` prints it. Fields may be added, and none ever changes. */
interface ListedKey {
  /** Null for credentials that an older version has sealed, which name no key. */
  id: string | null;
  /** How many are sealed under it. */
  credentials: number;
  /** `seals`: it is the newest of the ring. `opens`: what it has sealed is still opened. */
  state: 'seals' | 'opens' | 'not-in-ring' | 'older-version';
}

const inWords: Readonly<Record<ListedKey['state'], string>> = {
  seals: 'seals',
  opens: 'opens what it has sealed',
  'not-in-ring': "not in the ring: these credentials can't be opened",
  'older-version': 'sealed by an older version: the API seals them anew',
};

const columns: readonly Column<ListedKey>[] = [
  { title: 'KEY', of: ({ id }) => id },
  { title: 'CREDENTIALS', of: ({ credentials }) => credentials },
  { title: 'STATE', of: ({ state }) => inWords[state] },
];

export async function rotate({ file, print, dropUnused, json }: RotateOptions): Promise<void> {
  const place = placeOf(file);
  if (!print && !place.write) {
    throw new UsageFault(
      `The ring lies in ${place.name}, and not in a file.`,
      'Give its file: --file PATH, or have the new ring printed: --print',
    );
  }
  const before = ringIn(place);
  const after: [Buffer, ...Buffer[]] = dropUnused ? await used(before) : [randomBytes(secretKeyBytes), ...before];
  const text = after.map((key) => key.toString('base64')).join(',');
  if (!print) place.write?.(text);
  const dropped = before.filter((key) => !after.includes(key));
  const rotated: Rotated = { keys: idsOf(after), dropped: idsOf(dropped), ...(print && { ring: text }) };
  if (json) sayJson(rotated, 2);
  else if (print) say(text);
  note(told(before, rotated));
}

function idsOf(keys: readonly Buffer[]): string[] {
  return keys.map((key) => new KeyRing([key]).newest.id);
}

export async function list({ file, ...options }: ListKeysOptions): Promise<void> {
  const place = placeOf(file);
  const ring = new KeyRing(ringIn(place));
  const counted = await countByKey(ring);
  const known = new Set(ring.all.map(({ id }) => id));
  const keys: ListedKey[] = [
    ...ring.all.map(({ id }, index) => ({
      id,
      credentials: counted.get(id) ?? 0,
      state: index === 0 ? ('seals' as const) : ('opens' as const),
    })),
    ...[...counted]
      .filter(([id]) => !known.has(id))
      .map(([id, credentials]) => ({
        id: id || null,
        credentials,
        state: id === '' ? ('older-version' as const) : ('not-in-ring' as const),
      })),
  ];
  printRows({ keys }, keys, columns, options);
}

/** The newest key, and those under which something is sealed. A credential of an older version may be sealed under any of them. */
async function used([newest, ...former]: [Buffer, ...Buffer[]]): Promise<[Buffer, ...Buffer[]]> {
  const counted = await countByKey(new KeyRing([newest, ...former]));
  if (counted.has('')) {
    throw new UsageFault(
      `${counted.get('')} credentials of an older version name no key. No key is dropped until the API has sealed them anew.`,
      'Wait until it has. See it: strongroom keys list',
    );
  }
  return [newest, ...former.filter((key) => counted.has(new KeyRing([key]).newest.id))];
}

function countByKey(ring: KeyRing): Promise<Map<string, number>> {
  return onDatabase({ applicationName: 'strongroom-keys', poolSize: 1 }, (dataSource) =>
    new Credentials(dataSource, ring).countByKey(),
  );
}

function told(before: readonly Buffer[], { keys, dropped }: Rotated): string {
  const all = keys.join(', ');
  if (dropped.length > 0) return `Dropped from the ring: ${dropped.join(', ')}. It has ${all}.`;
  if (keys.length === before.length) return `Nothing to drop: credentials are sealed under each key of ${all}.`;
  return [
    `Key ${keys[0]} is the first of the ring; ${idsOf(before).join(', ')} stays for what it has sealed.`,
    'Give the whole ring to every API and every scheduler. The API seals all credentials anew within minutes: strongroom keys list shows it.',
    'After a day, drop what nobody needs any more: strongroom keys rotate --drop-unused',
  ].join('\n');
}

function ringIn({ name, text }: Place): [Buffer, ...Buffer[]] {
  const keys = secretKeysIn(text);
  if (!keys)
    throw new UsageFault(
      `${name} is no ring of keys: it must be keys of ${secretKeyBytes} bytes in base64, with commas between them.`,
      'Name the file of the ring: --file PATH',
    );
  return keys;
}

/** @throws {UsageFault} when no ring is known */
function placeOf(given: string | undefined): Place {
  const path = given ?? process.env[`${variable}_FILE`]?.trim();
  if (path) {
    const text = contentOf(path);
    return { name: path, text, write: (ring) => replace(path, text, `${ring}\n`) };
  }
  const value = process.env[variable]?.trim();
  if (value) return { name: variable, text: value };
  if (existsSync(localSecrets)) {
    const before = contentOf(localSecrets);
    const secrets = kept.parse(JSON.parse(before));
    const write = (secretKey: string) =>
      replace(localSecrets, before, `${JSON.stringify({ ...secrets, secretKey }, null, 2)}\n`);
    return { name: localSecrets, text: secrets.secretKey, write };
  }
  throw new UsageFault('No ring of keys is known.', `Name its file: --file PATH, or ${variable}_FILE.`);
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageFault(`${path} can't be read: ${messageOf(error)}`, 'Name the file of the ring: --file PATH', {
      cause: error,
    });
  }
}

/**
 * The file is there whole, before and after: a service may read it at any time. It keeps its owner and its mode. A service may seal under a
 * new key at once, so no key is ever lost: whoever changes the file holds `.new` beside it, and it must still have the text `from`.
 * @throws {UsageFault} when somebody else changes it, or has changed it since it was read
 */
function replace(path: string, from: string, text: string): void {
  const next = `${path}.new`;
  let isHeld = false;
  try {
    const { mode, uid, gid } = statSync(path);
    isHeld = hold(next);
    if (!isHeld) {
      throw new UsageFault(
        `Somebody else changes ${path} now, or was stopped while doing so: ${next} is there. Nothing was written.`,
        'Try again, or remove that file when nobody changes the ring.',
      );
    }
    if (contentOf(path) !== from)
      throw new UsageFault(`${path} was changed meanwhile. Nothing was written.`, 'Try again.');
    writeFileSync(next, text, { flush: true });
    chmodSync(next, mode & 0o777);
    if (uid !== process.getuid?.()) chownSync(next, uid, gid);
    renameSync(next, path);
  } catch (error) {
    if (isHeld) rmSync(next, { force: true });
    if (error instanceof UsageFault) throw error;
    throw new UsageFault(`${path} can't be written: ${messageOf(error)}`, 'Have the new ring printed: --print', {
      cause: error,
    });
  }
}

/** @returns whether the file was made, which nobody else has made */
function hold(file: string): boolean {
  try {
    writeFileSync(file, '', { mode: 0o600, flag: 'wx' });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}
