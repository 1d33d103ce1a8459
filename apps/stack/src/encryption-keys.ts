/**
 * The keys that open the backups of a local stack. The first start makes them, each in a file of its own: a deployment has them in
 * different places. Only the owner of the data folder can read them.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { newIdentityFile, X25519Identity } from '@strongroom/encryption';
import { writeWhole } from './whole-file.js';

export interface EncryptionKeys {
  /** The file of the key that opens the backups. */
  backupKeyFile: string;
  isNew: boolean;
  environment: NodeJS.ProcessEnv;
}

const keyForm = /^AGE-SECRET-KEY-1[0-9A-Z]+$/m;

export function readOrMakeKeys(folder: string): EncryptionKeys {
  const backupKeyFile = join(folder, 'backup-key.txt');
  const chainKeyFile = join(folder, 'chain-key.txt');
  const isNew = !existsSync(backupKeyFile);
  const recipient = readOrMake(backupKeyFile, 'It opens the backups of this stack. Whoever loses it loses them.');
  readOrMake(chainKeyFile, 'With it the scheduler reads what an incremental needs of its parent.');
  return {
    backupKeyFile,
    isNew,
    environment: {
      STRONGROOM_RECIPIENTS: JSON.stringify({ default: [{ key: recipient, name: 'this stack' }] }),
      STRONGROOM_CHAIN_KEY_FILE: chainKeyFile,
      // One may restore one's own backups by the API here. A deployment gives this key to nobody, or to one host.
      STRONGROOM_RESTORE_KEY_FILE: backupKeyFile,
    },
  };
}

/** @returns the recipient of the key in the file */
function readOrMake(path: string, what: string): string {
  if (!existsSync(path)) writeWhole(path, newIdentityFile(what).text);
  const [identity] = keyForm.exec(readFileSync(path, 'utf8')) ?? [];
  if (identity === undefined) throw new Error(`${path} has no key. Put the key back that was there.`);
  return new X25519Identity(identity).recipient.text;
}
