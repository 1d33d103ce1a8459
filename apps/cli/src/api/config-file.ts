/**
 * The file with the profiles: where a service is, whose account, and the token, or its place in the keychain. Only its owner can read the file, and
 * it is never half written: a new file takes the place of the old one.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { accountId, messageOf } from '@strongroom/contracts';
import { z } from 'zod';
import { CredentialFault, UsageFault } from '../command-fault.js';

export const profileName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, {
  error: 'must be 1 to 64 characters of A-Z a-z 0-9 . _ -, and begin with a letter or a digit',
});

const place = z.object({
  url: z.url(),
  account: accountId,
  /** Somebody has written that this service may be asked over a network in clear. */
  allowsHttp: z.boolean().optional(),
});
/** The token is in the file, or in the keychain of the system under an id. */
const profile = z.union([place.extend({ token: z.string().min(1) }), place.extend({ keychain: z.uuid() })]);
export type Profile = z.infer<typeof profile>;

const config = z.object({ current: profileName.optional(), profiles: z.record(profileName, profile) });
export type Config = z.infer<typeof config>;

const othersPlace = 'See who may use that folder, or name another one by XDG_CONFIG_HOME.';

/** The bits of a mode that let anybody but the owner in. */
const othersMode = 0o077;

/** Where the file is: as the XDG Base Directory Specification says, which has a relative path ignored. */
export function configPath(env: NodeJS.ProcessEnv = process.env): string {
  const given = env.XDG_CONFIG_HOME;
  return join(given && isAbsolute(given) ? given : join(homedir(), '.config'), 'strongroom', 'config.json');
}

/**
 * @returns no profiles when there is no file
 * @throws {CredentialFault} when others can read the file
 * @throws {UsageFault} when it has another form
 */
export async function readConfig(path: string): Promise<Config> {
  const text = await contentOf(path);
  if (text === undefined) return { profiles: {} };
  try {
    return config.parse(JSON.parse(text));
  } catch (cause) {
    throw new UsageFault(`${path} has no profiles that can be read.`, 'Move it away, and run: strongroom login', {
      cause,
    });
  }
}

/** @throws {UsageFault} when the file can't be written */
export async function writeConfig(path: string, content: Config): Promise<void> {
  const beside = join(dirname(path), `.config.${randomUUID()}.json`);
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeWhole(beside, path, `${JSON.stringify(content, null, 2)}\n`);
  } catch (cause) {
    throw new UsageFault(`${path} can't be written: ${messageOf(cause)}`, othersPlace, { cause });
  }
}

async function writeWhole(beside: string, path: string, text: string): Promise<void> {
  const file = await open(beside, 'wx', 0o600);
  try {
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (cause) {
    await rm(beside, { force: true });
    throw cause;
  }
}

async function contentOf(path: string): Promise<string | undefined> {
  try {
    const file = await open(path, 'r');
    try {
      const { mode } = await file.stat();
      if ((mode & othersMode) !== 0)
        throw new CredentialFault(`${path} has tokens, and others can read it.`, `Run: chmod 600 '${path}'`);
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof CredentialFault) throw cause;
    if (typeof cause === 'object' && cause !== null && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new UsageFault(`${path} can't be read: ${messageOf(cause)}`, othersPlace, { cause });
  }
}
