/** Measures what each region is owed: the copies that were planned, and those that nobody has planned yet. */
import type { Copies, Owed } from '@strongroom/read-model';
import type { Metrics } from '@strongroom/runtime';
import type { Vaults } from '@strongroom/vault';
import { UnplannedCopies, type UnplannedCopiesParts } from './unplanned-copies.js';

export interface OwedCopiesParts extends UnplannedCopiesParts {
  copies: Copies;
  metrics: Metrics;
  vaults: Pick<Vaults, 'regions'>;
}

export function measureOwed(parts: OwedCopiesParts): void {
  const { copies, metrics, vaults } = parts;
  const unplanned = new UnplannedCopies(parts);
  let asking: Promise<Owed[]> | undefined;
  // All gauges are read at the same time, so they share one query.
  const owed = () => {
    asking ??= Promise.all([copies.owed(), unplanned.owed()])
      .then(([planned, others]) => together([...planned, ...others]))
      .finally(() => {
        asking = undefined;
      });
    return asking;
  };
  const ofEach = (value: (owed: Owed) => number) => async (gauge: ReturnType<typeof metrics.gauge<'region'>>) => {
    // A region without a vault that is owed nothing any more is not shown with what it was owed.
    const found = await owed();
    gauge.reset();
    for (const region of vaults.regions) gauge.set({ region }, 0);
    for (const each of found) gauge.set({ region: each.region }, value(each));
  };
  metrics.gauge({
    name: 'strongroom_copies_owed',
    help: 'Copies owed to a region and not completed yet, by region: also those that nobody has planned, and of regions without a vault.',
    labels: ['region'],
    measure: ofEach(({ copies: count }) => count),
  });
  metrics.gauge({
    name: 'strongroom_copy_lag_seconds',
    help: 'How long the copy that is owed longest has been owed, by region; 0 when none is.',
    labels: ['region'],
    measure: ofEach(({ oldestMs }) => oldestMs / 1_000),
  });
  metrics.gauge({
    name: 'strongroom_copies_stranded',
    help: 'Copies that can not be made, since their region or that of the backup has no vault any more, by region.',
    labels: ['region'],
    measure: ofEach(({ stranded }) => stranded),
  });
}

function together(owed: readonly Owed[]): Owed[] {
  const sum = new Map<string, Owed>();
  for (const { region, copies, oldestMs, stranded } of owed) {
    const before = sum.get(region);
    sum.set(region, {
      region,
      copies: copies + (before?.copies ?? 0),
      oldestMs: Math.max(oldestMs, before?.oldestMs ?? 0),
      stranded: stranded + (before?.stranded ?? 0),
    });
  }
  return [...sum.values()];
}
