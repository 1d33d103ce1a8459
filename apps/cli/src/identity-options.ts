/** The option of all commands that open an encrypted backup: the file with the keys. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { messageOf } from '@strongroom/contracts';
import { type Identity, parseIdentities } from '@strongroom/encryption';
import type { Command } from 'commander';
import { UsageFault } from './command-fault.js';

export interface IdentityOptions {
  identity?: string[];
}

const variable = 'STRONGROOM_IDENTITY_FILE';
/** The key of the local stack. */
const ofStack = '.strongroom/backup-key.txt';

export function withIdentity(command: Command): Command {
  return command.option(
    '--identity <file>',
    `a file with keys of age, or lines like command:/path/of/program NAME, for a backup that is encrypted; may be given more than once. Without it: ${variable}, else ${ofStack}`,
    (path: string, before: string[] = []) => [...before, path],
  );
}

/** @throws {UsageFault} when a file can't be read, or has no key */
export async function identitiesOf({ identity }: IdentityOptions): Promise<Identity[]> {
  const usual = process.env[variable] || (existsSync(ofStack) ? ofStack : undefined);
  const identities: Identity[] = [];
  for (const path of identity ?? (usual ? [usual] : [])) {
    try {
      identities.push(...parseIdentities(await readFile(path, 'utf8')));
    } catch (error) {
      throw new UsageFault(
        `The keys can't be read from ${path}: ${messageOf(error)}`,
        'Give a file with keys of age, or with lines like command:/path/of/program NAME: --identity FILE',
        { cause: error },
      );
    }
  }
  return identities;
}
