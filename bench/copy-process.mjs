/**
 * A process that copies one backup, as a replicator does, and tells what that cost: `node copy-process.mjs JSON`, with `from` and `to`
 * as the addresses of vaults, `backupId` and `sha256`. Several targets are copied to at a time.
 */

import { copyBackup, openVaults } from '../dist/libs/vault/src/index.js';
import { peakMiB } from './stack.mjs';

const { from, to, backupId, sha256, attempt } = JSON.parse(process.argv[2]);
const regions = to.map((_, index) => `TO${index}`);
const urls = new Map([['FROM', new URL(from)], ...to.map((url, index) => [regions[index], new URL(url)])]);
const vaults = openVaults(urls);
const log = { warn: () => {}, info: () => {}, error: () => {} };
await vaults.identify(log);

const cpu = process.cpuUsage();
const begun = performance.now();
const { signal } = new AbortController();
const copied = await Promise.all(
  regions.map((region) =>
    copyBackup({ from: vaults.of('FROM'), to: vaults.of(region), backupId, attempt, expectedSha256: sha256, signal }),
  ),
);
const seconds = (performance.now() - begun) / 1_000;
const { user, system } = process.cpuUsage(cpu);
const isProven = copied.every((copy) => copy.sha256 === sha256 && copy.transferred);
process.stdout.write(JSON.stringify({ seconds, cpuSeconds: (user + system) / 1e6, peakMiB: peakMiB(), isProven }));
process.exit(0);
