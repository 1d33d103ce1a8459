/** Tells why a slot is skipped whose instance has a backup that has not ended: what that backup does, and until when. */
import { idOf, streamOf } from '@strongroom/contracts';
import { backupDecider, fold, whySkipped } from '@strongroom/domain';
import type { Ledger } from '@strongroom/ledger';
import type { EntityManager } from 'typeorm';

/** @returns tells the reason, by the stream that holds the claim on the instance */
export async function whyBusy(
  manager: EntityManager,
  ledger: Ledger,
  holders: readonly string[],
): Promise<(holder: string) => string> {
  const streams = holders.map((holder) => streamOf('backup', idOf(holder)));
  // A history that can't be read, such as one of a newer version, holds up no slot: the reason is shorter then.
  const { told } = streams.length > 0 ? await ledger.readEach(manager, streams) : { told: new Map<string, never>() };
  return (holder) => {
    const history = told.get(holder);
    return whySkipped(idOf(holder), history && fold(backupDecider, history));
  };
}
