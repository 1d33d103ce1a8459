/** `strongroom keys rewrap`: has the encrypted backups of a vault opened by other keys than before. It moves no data. */
import { readFileSync } from 'node:fs';
import { messageOf } from '@strongroom/contracts';
import { chainHolder, recipientFrom } from '@strongroom/encryption';
import { rewrapVault } from '@strongroom/engines';
import { recipients } from '@strongroom/runtime/light';
import type { Command } from 'commander';
import { UsageFault } from './command-fault.js';
import { endWith } from './exit-codes.js';
import { type IdentityOptions, identitiesOf, withIdentity } from './identity-options.js';
import { note, sayJson } from './output.js';
import { Progress } from './progress.js';
import { fromVault, type VaultOptions, vaultOf } from './vault-options.js';

interface Options extends VaultOptions, IdentityOptions {
  recipients?: string;
  chainRecipient?: string;
  json?: true;
}

export function addRewrap(keys: Command): void {
  const command = fromVault(keys.command('rewrap')).description(
    'Have the encrypted backups of a vault opened by other keys than before: wraps the key of each for the recipients that are given, and moves no data. Run it for each region. It may be stopped at any time, and goes on when it is run again. Whoever has copied what was there before can still open that with the former keys. Backups in AES-256-GCM are wrapped for keys of programs alone, like command:/path/of/program NAME.',
  );
  withIdentity(command)
    .option(
      '--recipients <file>',
      'who can open them from now on, in the form of STRONGROOM_RECIPIENTS_FILE. Without it: that file, or STRONGROOM_RECIPIENTS',
    )
    .option(
      '--chain-recipient <recipient>',
      "the scheduler's own from now on, like age1… or command:/path/of/program NAME; without it, it stays",
    )
    .option('--json', 'print what was done as JSON')
    .action(async (options: Options) => {
      const { from, json } = options;
      const wanted = recipientsOf(options.recipients);
      const identities = await identitiesOf(options);
      if (identities.length === 0)
        throw new UsageFault('It needs a key that opens the backups now.', 'Give its file: --identity FILE');
      const chain = options.chainRecipient;
      const progress = new Progress(`wrapping the keys in the vault of ${from}`, { json, counted: 'backups' });
      const done = await rewrapVault(vaultOf(options), {
        identities,
        recipientsOf: (account) =>
          (wanted.byAccount.get(account) ?? wanted.usual).map(({ key, name }) => recipientFrom(key, name)),
        chainRecipient: chain === undefined ? undefined : recipientFrom(chain, chainHolder),
        failed: (backupId, error) => note(`strongroom: the keys of ${backupId} stay as they are: ${messageOf(error)}`),
        looked: () => progress.add(1),
      }).finally(() => progress.end());
      if (json) sayJson({ region: from, ...done }, 2);
      else
        note(
          `${from}: the keys of ${done.changed} backups were wrapped anew, and those of ${done.same} were so already. ${done.clear} are not encrypted.`,
        );
      if (done.failed > 0) {
        note(`strongroom: the keys of ${done.failed} backups stay as they are.`);
        const next = 'Give keys that open them too, and run it again: --identity FILE';
        endWith(done.changed + done.same > 0 ? 'incomplete' : 'failed', next);
      }
    });
}

function recipientsOf(path: string | undefined) {
  const { name, form } = recipients;
  const file = path ?? process.env[`${name}_FILE`];
  const unreadable = (why: string, cause?: unknown) =>
    new UsageFault(
      `The recipients can't be read from ${file ?? name}: ${why}`,
      'Name a file in the form of STRONGROOM_RECIPIENTS_FILE: --recipients FILE',
      { cause },
    );
  let text: string | undefined;
  try {
    text = file ? readFileSync(file, 'utf8') : process.env[name];
  } catch (error) {
    throw unreadable(messageOf(error), error);
  }
  if (!text?.trim()) throw unreadable('nobody is named');
  const parsed = form.schema.safeParse(text.trim());
  if (!parsed.success) throw unreadable(parsed.error.issues.map(({ message }) => message).join('; '));
  return parsed.data;
}
