/** Tells why a slot is skipped whose instance has a backup that has not ended: what that backup does, and until when. */
import { idOf, streamOf } from '@strongroom/contracts';
import { type BackupState, backupDecider, fold, whySkipped } from '@strongroom/domain';
import type { Ledger } from '@strongroom/ledger';
import type { EntityManager } from 'typeorm';
import { ZodError } from 'zod';

/** @returns tells the reason, by the stream that holds the claim on the instance */
export async function whyBusy(
  manager: EntityManager,
  ledger: Ledger,
  holders: readonly string[],
): Promise<(holder: string) => string> {
  const states = new Map<string, BackupState>();
  for (const holder of holders) {
    const state = await stateOf(manager, ledger, idOf(holder));
    if (state) states.set(holder, state);
  }
  return (holder) => whySkipped(idOf(holder), states.get(holder));
}

/** A history that can't be read, such as one of a newer version, holds up no slot: the reason is shorter then. */
async function stateOf(manager: EntityManager, ledger: Ledger, backupId: string): Promise<BackupState | undefined> {
  const stream = streamOf('backup', backupId);
  try {
    return fold(backupDecider, (await ledger.readStreams(manager, [stream])).get(stream) ?? []);
  } catch (error) {
    if (!(error instanceof ZodError)) throw error;
    return undefined;
  }
}
