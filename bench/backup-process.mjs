/**
 * A process that takes one backup into a folder, as a scheduler does, tells what that cost, and reads it back once more: `node backup-process.mjs JSON`, with the
 * `port` and the `password` of a PostgreSQL on this machine, the address of a `vault`, and the format of its
 * `encryption`: `age`, `aes-gcm`, or none.
 */
import { randomUUID } from 'node:crypto';
import { newIdentity, recipientFrom, X25519Identity } from '../dist/libs/encryption/src/index.js';
import { EnginesApart, storeBackup } from '../dist/libs/engines/src/index.js';
import { openVaults } from '../dist/libs/vault/src/index.js';
import { processorTimeOf } from './processor-time.mjs';
import { childrenOf, peakMiB } from './stack.mjs';

const { port, password, vault: url, encryption } = JSON.parse(process.argv[2]);
const vaults = openVaults(new Map([['DFW', new URL(url)]]));
await vaults.identify({ warn: () => {}, info: () => {}, error: () => {} });
const apart = new EnginesApart({ memoryBytes: 512 * 1_048_576 });
const endpoint = { host: '127.0.0.1', port, database: 'postgres', user: 'postgres', tls: 'disable' };

/** The most that each process of the engine has used. It is gone when the backup is there. */
const engines = new Map();
const look = setInterval(() => {
  for (const pid of childrenOf(process.pid)) {
    const time = processorTimeOf(pid) / 1e6;
    if (time > 0) engines.set(pid, { cpuSeconds: time, peakMiB: peakOf(pid) });
  }
}, 50);
function peakOf(pid) {
  try {
    return peakMiB(pid);
  } catch {
    return engines.get(pid)?.peakMiB ?? 0;
  }
}

const encryptions = {
  age: ofAge,
  // What a program does with the key costs the same for every size.
  'aes-gcm': () => {
    const wrap = (fileKey) => ({ args: ['bench'], body: fileKey });
    const recipients = [{ id: 'bench', wrap }];
    return { format: 'tink/AES256_GCM_HKDF_1MB', recipients, chainRecipients: [], chainIdentities: [] };
  },
};

function ofAge() {
  const [owner, chain] = [newIdentity(), newIdentity()].map((text) => new X25519Identity(text));
  const [recipients, chainRecipients] = [owner, chain].map(({ recipient }) => [recipientFrom(recipient.text, 'bench')]);
  return { format: 'age-encryption.org/v1', recipients, chainRecipients, chainIdentities: [chain] };
}

const backupId = randomUUID();
const cpu = process.cpuUsage();
const begun = performance.now();
const stored = await storeBackup({
  engine: apart.of('postgresql'),
  vault: vaults.of('DFW'),
  clock: { now: () => new Date() },
  target: { instanceId: randomUUID(), endpoint, password },
  backup: {
    backupId,
    accountId: 'bench',
    instanceId: randomUUID(),
    instanceName: 'bench',
    type: 'full',
    parentId: null,
    startedAt: new Date(),
  },
  attempt: 1,
  encryption: encryptions[encryption]?.(),
  signal: new AbortController().signal,
});
const seconds = (performance.now() - begun) / 1_000;
clearInterval(look);
const { user, system } = process.cpuUsage(cpu);
const peak = peakMiB();
const ofEngine = [...engines.values()];
const isWhole = (await vaults.of('DFW').verify(backupId)).sha256 === stored.sha256;
process.stdout.write(
  JSON.stringify({
    seconds,
    cpuSeconds: (user + system) / 1e6 + ofEngine.reduce((sum, each) => sum + each.cpuSeconds, 0),
    engineCpuSeconds: ofEngine.reduce((sum, each) => sum + each.cpuSeconds, 0),
    peakMiB: peak,
    enginePeakMiB: Math.max(0, ...ofEngine.map((each) => each.peakMiB)),
    location: stored.location,
    rawBytes: stored.rawBytes,
    sizeBytes: stored.sizeBytes,
    isWhole,
  }),
);
process.exit(0);
