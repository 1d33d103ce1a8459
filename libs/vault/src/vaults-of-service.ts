/** The vaults of a service that moves backups: watched, and within the limits that its settings and the operator have set. */
import type { AppConfig, Logger, Metrics } from '@strongroom/runtime';
import { type SharedBudgetOf, Traffic } from './flow/traffic.js';
import { openVaults, type Vaults } from './vaults.js';

type Settings = Pick<
  AppConfig,
  | 'vaults'
  | 'copyStallMs'
  | 'leastVaultBytesPerSecond'
  | 'freeSpaceReserveBytes'
  | 'transferLimits'
  | 'transfersAtATime'
>;

/** @throws {VaultFault} `vault-misconfigured`, when there is no kind of vault for a URL */
export function openVaultsOfService(
  config: Settings,
  { sharedBudget, metrics, log }: { sharedBudget: SharedBudgetOf; metrics: Metrics; log: Logger },
): { vaults: Vaults; traffic: Traffic } {
  const traffic = new Traffic({
    first: config.transferLimits,
    atATime: config.transfersAtATime,
    sharedBudget,
    metrics,
    log,
  });
  const vaults = openVaults(config.vaults, {
    limitMs: config.copyStallMs,
    leastBytesPerSecond: config.leastVaultBytesPerSecond,
    reserveBytes: config.freeSpaceReserveBytes,
    traffic,
    log,
  });
  return { vaults, traffic };
}
