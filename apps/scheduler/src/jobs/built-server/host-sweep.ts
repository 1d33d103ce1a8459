/**
 * Removes what attempts at built servers have left on this host and can't finish any more: their scheduler was lost, and the job went to
 * another host. What the ledger does not know is never removed, and neither is what an attempt may be working on.
 */
import { datastoreType, streamOf } from '@strongroom/contracts';
import { fold, type InstanceState, instanceDecider } from '@strongroom/domain';
import type { EngineFor, Guests, HeldHere, ServerHost } from '@strongroom/engines';
import { isOutage, type Ledger } from '@strongroom/ledger';
import type { Jobs, Logger } from '@strongroom/runtime';

export interface HostSweepParts {
  ledger: Pick<Ledger, 'readStream'>;
  jobs: Pick<Jobs, 'attemptsOf'>;
  engineFor: EngineFor;
  log: Logger;
  folder: string;
  guests?: Guests;
  /** Called with each piece that was looked at. */
  moved?: () => void;
}

/** @throws when the ledger can't be asked, or the signal's reason */
export async function sweepHost(parts: HostSweepParts, signal: AbortSignal): Promise<void> {
  for (const type of datastoreType.options) {
    const host = parts.engineFor(type).serve(parts.folder, parts.guests);
    const held = await host.held();
    const leased = await parts.jobs.attemptsOf(
      'instance',
      held.map(({ instanceId }) => instanceId),
    );
    for (const each of held) {
      signal.throwIfAborted();
      await sweepOne(parts, host, each, leased.get(each.instanceId));
      parts.moved?.();
    }
  }
}

async function sweepOne(
  { ledger, log }: HostSweepParts,
  host: ServerHost,
  { instanceId, attempt }: HeldHere,
  leased: number | undefined,
): Promise<void> {
  try {
    const instance = fold(instanceDecider, await ledger.readStream(streamOf('instance', instanceId)));
    if (attempt === undefined) {
      if (!isWithoutServer(instance, leased)) return;
      await host.remove(instanceId);
    } else {
      if (!isOver(instance, attempt, leased)) return;
      await host.removeAttempt(instanceId, attempt);
    }
    log.info({ instance: instanceId, attempt }, 'what a lost scheduler had left of a built server is removed');
  } catch (error) {
    if (isOutage(error)) throw error;
    log.warn(
      { err: error, instance: instanceId, attempt },
      'what a lost scheduler has left of a built server is not removed; tried again',
    );
  }
}

/** @param leased how often the job was leased; undefined when there is none */
function isOver(instance: InstanceState, attempt: number, leased: number | undefined): boolean {
  if (instance.is === 'absent') return false;
  return instance.is !== 'building' || (leased !== undefined && leased > attempt);
}

/** As long as there is a job, it removes the server when that is not wanted. */
function isWithoutServer(instance: InstanceState, leased: number | undefined): boolean {
  return leased === undefined && (instance.is === 'forgotten' || instance.is === 'build-failed');
}
