/**
 * Gives free what a server keeps for chains that nothing is built on any more: those before a new full backup, that of
 * one that failed, and that of one that was deleted. A server that can't be asked now keeps a slot, which costs it nothing.
 */
import { streamOf } from '@strongroom/contracts';
import type { Credentials } from '@strongroom/credentials';
import { fold, instanceDecider } from '@strongroom/domain';
import type { Engine } from '@strongroom/engines';
import type { Ledger } from '@strongroom/ledger';
import type { Logger } from '@strongroom/runtime';

export interface ChainEndsParts {
  ledger: Ledger;
  credentials: Credentials;
  engine: Engine;
  log: Logger;
}

const askMs = 5_000;

export class ChainEnds {
  constructor(private readonly parts: ChainEndsParts) {}

  /** @param fullBackupIds each the first of its chain. Never throws. */
  async end(instanceId: string, fullBackupIds: readonly string[]): Promise<void> {
    if (fullBackupIds.length === 0) return;
    const { ledger, credentials, engine, log } = this.parts;
    try {
      const instance = fold(instanceDecider, await ledger.readStream(streamOf('instance', instanceId)));
      if (instance.is !== 'registered') return;
      const { password = '' } = (await credentials.get(instanceId)) ?? {};
      const target = { instanceId, endpoint: instance.endpoint, password };
      await engine.endChains(target, fullBackupIds, AbortSignal.timeout(askMs));
    } catch (error) {
      log.info(
        { err: error, instance: instanceId, backups: fullBackupIds },
        'the server still keeps slots of ended chains',
      );
    }
  }
}
