/**
 * Seals anew what is sealed under a former key, or as an older version has sealed it: bound to the connection that the ledger says is in
 * force. So a former key is not needed any more after a while. What can't be opened stays as it is, and the log names it once.
 */
import { streamOf } from '@strongroom/contracts';
import type { Bound, Credentials } from '@strongroom/credentials';
import { fold, instanceDecider } from '@strongroom/domain';
import { isUnreadable, type Ledger } from '@strongroom/ledger';
import type { Logger } from '@strongroom/runtime';

export interface ResealingParts {
  credentials: Pick<Credentials, 'resealSome'>;
  ledger: Pick<Ledger, 'readStream'>;
  log: Logger;
}

export class Resealing {
  private after: string | undefined;
  private readonly told = new Set<string>();
  private unreadable: string[] = [];
  private lastUnreadable = 0;

  constructor(private readonly parts: ResealingParts) {}

  /** How many instances had a credential in the last whole round that could not be opened. */
  get unreadableCount(): number {
    return this.lastUnreadable;
  }

  /** One step of a round over all credentials. */
  async some(): Promise<'again' | 'done'> {
    const { credentials, log } = this.parts;
    const { resealed, unreadable, next } = await credentials.resealSome(this.after, (id) => this.boundOf(id));
    this.after = next;
    this.unreadable.push(...unreadable);
    if (next === undefined) {
      this.lastUnreadable = this.unreadable.length;
      this.unreadable = [];
    }
    if (resealed.length > 0) log.info({ credentials: resealed.length }, 'credentials were sealed anew');
    const news = unreadable.filter((instanceId) => !this.told.has(instanceId));
    for (const instanceId of news) this.told.add(instanceId);
    if (news.length > 0) {
      const words =
        "credentials could not be sealed anew: they can't be opened. Give this process the key that sealed them, or give these instances their credentials again";
      log.warn({ instances: news }, words);
    }
    return next === undefined ? 'done' : 'again';
  }

  /** What the credential in force is bound to. A forgotten instance may still be tidied up on its server. */
  private async boundOf(instanceId: string): Promise<Bound | undefined> {
    try {
      const history = await this.parts.ledger.readStream(streamOf('instance', instanceId));
      const state = fold(instanceDecider, history);
      const accountId = history[0]?.accountId;
      if ((state.is !== 'registered' && state.is !== 'forgotten') || !state.endpoint || accountId === undefined)
        return undefined;
      return { accountId, instanceId, credentialId: state.credentialId, endpoint: state.endpoint };
    } catch (error) {
      if (isUnreadable(error)) return undefined;
      throw error;
    }
  }
}
