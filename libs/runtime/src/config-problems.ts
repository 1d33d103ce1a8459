/** What is wrong with settings that are right each for itself: what they lack beside others, and what must not leave this machine. */
import { isLoopbackHost } from './addresses.js';
import { whyNotVerified } from './database-url.js';
import * as audit from './settings/audit.js';
import * as built from './settings/built-servers.js';
import type { ConfigProblem, GivenSettings } from './settings/given-settings.js';
import * as ledgerAndFeed from './settings/ledger-and-feed.js';
import * as transport from './settings/transport.js';
import * as regions from './settings/vaults.js';
import { whyInClear } from './vaults-in-clear.js';

export function problemsOfBuiltServers(
  folder: string | undefined,
  users: { first: number; last: number } | undefined,
  most: number,
): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (folder === undefined) {
    const problem = 'is not set; a scheduler that builds servers needs a folder for them';
    problems.push({ variable: built.instancesFolder.name, problem });
  }
  // One more is for the processes that take backups.
  if (users && users.last - users.first < most) {
    const problem = `must have one user for each server that ${built.mostBuiltServers.name} allows, and one more: ${most + 1}`;
    problems.push({ variable: built.builtServerUsers.name, problem });
  }
  return problems;
}

export function problemsOfRegions(withVault: readonly string[], homeRegion: string): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (!withVault.includes(homeRegion)) {
    const problem = `is ${homeRegion}; it must be a region of STRONGROOM_VAULTS: ${withVault.join(', ')}`;
    problems.push({ variable: regions.homeRegion.name, problem });
  }
  if (withVault.includes(regions.noCopiesTo) && homeRegion !== regions.noCopiesTo) {
    const problem = `has a vault for ${regions.noCopiesTo}; copies to that region are not supported: it may be the home region only`;
    problems.push({ variable: regions.vaults.name, problem });
  }
  return problems;
}

export function problemsOfDatabase(given: GivenSettings): ConfigProblem[] {
  if (given.valueIfSet(transport.allowPlaintext)?.has('database')) return [];
  const problem = whyNotVerified(given.value(ledgerAndFeed.databaseUrl));
  return problem === undefined ? [] : [{ variable: ledgerAndFeed.databaseUrl.name, problem }];
}

export function problemsOfVaults(given: GivenSettings): ConfigProblem[] {
  if (given.valueIfSet(transport.allowPlaintext)?.has('vaults')) return [];
  const problem = whyInClear(given.value(regions.vaults));
  return problem === undefined ? [] : [{ variable: regions.vaults.name, problem }];
}

export function problemsOfSyslog(given: GivenSettings): ConfigProblem[] {
  const syslog = given.valueIfSet(audit.auditSyslog);
  const isAllowed = given.valueIfSet(transport.allowPlaintext)?.has('syslog') ?? false;
  if (!syslog || isLoopbackHost(syslog.host) || isAllowed) return [];
  const problem = `leads to ${syslog.host}, and the audit would go there in clear; send it to a syslog on this machine that forwards it by TLS, or set ${transport.allowPlaintext.name} to syslog`;
  return [{ variable: audit.auditSyslog.name, problem }];
}
