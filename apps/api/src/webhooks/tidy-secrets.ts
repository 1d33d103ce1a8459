/**
 * Removes what is sealed of webhooks and not in force, and seals the rest anew when a former key has sealed it. The ledger judges, because
 * it is never behind: what is still needed is never removed.
 */
import { messageOf, streamOf } from '@strongroom/contracts';
import { CredentialFault, type WebhookSecrets } from '@strongroom/credentials';
import { fold, webhookDecider } from '@strongroom/domain';
import { isUnreadable, type Ledger } from '@strongroom/ledger';
import type { Logger } from '@strongroom/runtime';
import { boundOf } from './lane.js';

/** This is long enough for a change that is under way. */
const keptMs = 3_600_000;
const atOnce = 500;

export interface TidyParts {
  secrets: WebhookSecrets;
  ledger: Pick<Ledger, 'readStream'>;
  log: Logger;
}

export async function tidySecrets({ secrets, ledger, log }: TidyParts, olderThanMs = keptMs): Promise<void> {
  for (let after: string | undefined; ; ) {
    const found = await secrets.some(after, olderThanMs, atOnce);
    for (const { secretId, webhookId, isOld } of found) {
      try {
        const state = fold(webhookDecider, await ledger.readStream(streamOf('webhook', webhookId)));
        if (state.is === 'there' && state.definition.secretId === secretId) {
          await secrets.reseal(boundOf(state.accountId, webhookId, state.definition));
        } else if (isOld) await secrets.remove(secretId);
      } catch (error) {
        if (!(error instanceof CredentialFault) && !isUnreadable(error)) throw error;
        log.debug({ webhookId, err: error }, `the secret of a webhook stays as it is: ${messageOf(error)}`);
      }
    }
    if (found.length < atOnce) return;
    after = found.at(-1)?.secretId;
  }
}
