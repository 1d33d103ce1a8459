/**
 * One attempt at giving free what a server keeps for a backup that nothing can be built on any more; never what it keeps
 * for the newest completed one of its instance, by which the next incremental knows its server. A server that can't be
 * asked is asked again, ever more seldom, for a week; what it may keep after that is told in the log, by its name.
 */
import { type Endpoint, streamOf } from '@strongroom/contracts';
import { CredentialFault, type Credentials } from '@strongroom/credentials';
import { backupDecider, fold, instanceDecider } from '@strongroom/domain';
import { chainSlotOf, type Engine, EngineFault } from '@strongroom/engines';
import type { Ledger } from '@strongroom/ledger';
import { Backups, type Views } from '@strongroom/read-model';
import type { Hold, LeasedJob, Logger, Performed } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';

export interface ChainEndAttemptParts {
  dataSource: DataSource;
  ledger: Ledger;
  views: Views;
  credentials: Credentials;
  engine: Engine;
  log: Logger;
}

const askMs = 5_000;
const firstPauseMs = 5_000;
const longestPauseMs = 3_600_000;
/** A week of them. */
const mostTries = 176;

export class ChainEndAttempt {
  constructor(
    private readonly parts: ChainEndAttemptParts,
    private readonly job: LeasedJob,
    private readonly hold: Hold,
  ) {}

  /** Ends with the server keeping nothing, due again, or given up; or with an error when the lease is lost or the process stops. */
  async perform(): Promise<Performed> {
    const { ledger, credentials, engine, log } = this.parts;
    const { id: backupId, failures } = this.job;
    const backup = fold(backupDecider, await ledger.readStream(streamOf('backup', backupId)));
    // Also a backup that failed or was deleted may have left its slot.
    if (!('request' in backup)) return 'finished';
    const { instanceId } = backup.request;
    const instance = fold(instanceDecider, await ledger.readStream(streamOf('instance', instanceId)));
    const isForgotten = instance.is === 'forgotten';
    if (!isForgotten && backup.is === 'completed' && (await this.isNewest(instanceId))) return 'finished';
    if ((!isForgotten && instance.is !== 'registered') || !instance.endpoint) return 'finished';
    // A server that was built here goes with its instance.
    if (isForgotten && instance.builtFrom !== null) return 'finished';
    const { endpoint } = instance;
    try {
      const credential = await credentials.get(instanceId);
      if (!credential && isForgotten) {
        this.giveUp(endpoint, 'its instance is forgotten, and so is the password');
        return 'finished';
      }
      const target = { instanceId, endpoint, password: credential?.password ?? '' };
      const signal = AbortSignal.any([this.hold.signal, AbortSignal.timeout(askMs)]);
      await engine.endChains(target, [backupId], signal);
      return 'finished';
    } catch (error) {
      const isOfServer = error instanceof EngineFault || error instanceof CredentialFault;
      if (this.hold.signal.aborted || !isOfServer) throw error;
      if (failures + 1 >= mostTries) {
        this.giveUp(endpoint, error.message);
        return 'finished';
      }
      const pauseMs = Math.min(firstPauseMs * 2 ** failures, longestPauseMs);
      log.info(
        { err: error, instance: instanceId, backup: backupId },
        `the server keeps the slot of an ended chain: ${error.message} Asked again in ${pauseMs / 1_000} s`,
      );
      return { retryInMs: pauseMs, hasFailed: true };
    }
  }

  private async isNewest(instanceId: string): Promise<boolean> {
    const { dataSource, views } = this.parts;
    await views.catchUp(this.job.accountId);
    return (await new Backups(dataSource).newestCompleted(instanceId))?.id === this.job.id;
  }

  private giveUp({ host, port }: Endpoint, why: string): void {
    const slot = chainSlotOf(this.job.id);
    this.parts.log.warn(
      { backup: this.job.id, slot, host, port },
      `replication slot ${slot} may be left on ${host}:${port}: ${why}. If it is there, drop it: select pg_drop_replication_slot('${slot}')`,
    );
  }
}
