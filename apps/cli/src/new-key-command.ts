/** `strongroom keys new`: makes a key that opens backups. It is on the disk before anybody can encrypt for it. */
import { closeSync, fsyncSync, openSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf } from '@strongroom/contracts';
import { newIdentityFile } from '@strongroom/encryption';
import type { Command } from 'commander';
import { UsageFault } from './command-fault.js';
import { note, say, sayJson } from './output.js';

export function addNewKey(keys: Command): void {
  keys
    .command('new')
    .description(
      'Make a key of age that opens backups, in a new file that only its owner can read, and print its recipient for STRONGROOM_RECIPIENTS. Needs no service. Whoever loses the file loses the backups: keep it apart from Strongroom, in two places. Backups in AES-256-GCM (STRONGROOM_ENCRYPTION=aes-gcm) take no key of age: their keys are made where a program keeps them, such as in a KMS.',
    )
    .argument('<file>', 'a file that is not there yet')
    .option('--json', 'print the file and the recipient as JSON')
    .action((path: string, { json }: { json?: true }) => {
      const { text, recipient } = newIdentityFile('It opens the backups of Strongroom. Whoever loses it loses them.');
      keep(path, text);
      if (json) sayJson({ file: path, recipient }, 2);
      else say(recipient);
      note(
        `The key is in ${path}. Keep it apart from Strongroom, in two places: nothing else opens what is encrypted for it.`,
      );
    });
}

/** @throws {UsageFault} when something is there already, or nothing can be written there */
function keep(path: string, text: string): void {
  try {
    const file = openSync(path, 'wx', 0o600);
    try {
      writeFileSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    const folder = openSync(dirname(path), 'r');
    fsyncSync(folder);
    closeSync(folder);
  } catch (error) {
    const isThere = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    const why = isThere ? 'it is there already, and a key is never replaced' : messageOf(error);
    throw new UsageFault(`No key was made in ${path}: ${why}`, 'Give the name of another file.', { cause: error });
  }
}
