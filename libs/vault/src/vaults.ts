/** The vaults of a deployment, by region. Each is of the kind that its URL in the configuration names. */
import { fileURLToPath } from 'node:url';
import { azureAddress, gcsAddress, messageOf, s3Address } from '@strongroom/contracts';
import type { Logger } from '@strongroom/runtime';
import { AzureStore } from './azure/azure-store.js';
import { DirectoryStore } from './directory/directory-store.js';
import { DirectoryVault } from './directory/directory-vault.js';
import { VaultFiles } from './directory/vault-files.js';
import { VaultRoot } from './directory/vault-root.js';
import { GcsStore } from './gcs/gcs-store.js';
import { ObjectVault } from './object/object-vault.js';
import { StorePace } from './object/store-pace.js';
import { S3Store } from './s3/s3-store.js';
import type { Vault, VaultIdentity, VaultMemory } from './vault.js';
import { VaultFault } from './vault-fault.js';
import type { WatchOptions } from './vault-watch.js';
import { type WatchedVault, watched } from './watched-vault.js';

/** What vaults of the process have in common. */
interface Shared {
  /** How many threads a folder may keep. */
  mostAtATime: number;
  /** How the region's store is asked, when it is behind a network. */
  pace: StorePace;
}

type OpenVault = (region: string, url: URL, shared: Shared) => Vault;

/** The kinds of vaults, by the scheme of their URL. */
const kinds: ReadonlyMap<string, OpenVault> = new Map<string, OpenVault>([
  [
    'file:',
    (region, url, { mostAtATime }) =>
      new DirectoryVault(region, fileURLToPath(url), folderAt(region, url, mostAtATime)),
  ],
  // A folder in which backups lie as in a store of objects: `objects:///vaults/DFW`.
  [
    'objects:',
    (region, url, { mostAtATime }) => {
      const path = new URL('file:///');
      path.pathname = url.pathname;
      if (url.host !== '') throw new Error('the path of its folder must begin behind objects://');
      return new ObjectVault(region, new DirectoryStore(folderAt(region, path, mostAtATime)));
    },
  ],
  ['s3:', (region, url, { pace }) => new ObjectVault(region, new S3Store(region, right(s3Address(url)), { pace }))],
  ['gs:', (region, url, { pace }) => new ObjectVault(region, new GcsStore(region, right(gcsAddress(url)), { pace }))],
  [
    'az:',
    (region, url, { pace }) => new ObjectVault(region, new AzureStore(region, right(azureAddress(url)), { pace })),
  ],
]);

function right<T>(address: T | string): T {
  if (typeof address === 'string') throw new Error(`its address ${address}`);
  return address;
}

function folderAt(region: string, url: URL, mostAtATime: number): VaultRoot {
  return new VaultRoot(region, fileURLToPath(url), new VaultFiles(mostAtATime));
}

/** The number of threads that Node has by default. */
const usualThreads = 4;
/** So many threads are for what is not a vault's: names of hosts, compression, other files. */
const othersThreads = 2;

export class Vaults {
  private readonly byRegion: ReadonlyMap<string, WatchedVault>;

  constructor(byRegion: ReadonlyMap<string, Vault>, options: WatchOptions = {}) {
    this.byRegion = new Map([...byRegion].map(([region, vault]) => [region, watched(vault, options)]));
  }

  get regions(): string[] {
    return [...this.byRegion.keys()];
  }

  /** @throws {VaultFault} `vault-misconfigured` when the region has no vault */
  of(region: string): Vault {
    const vault = this.byRegion.get(region);
    if (vault) return vault;
    throw new VaultFault(
      'vault-misconfigured',
      region,
      `Region ${region} has no vault here; there are vaults of ${this.regions.join(', ') || 'no region'}. Name it in STRONGROOM_VAULTS.`,
    );
  }

  /**
   * Reads the identity of every vault, as a service does when it starts. For a vault that can't be reached this is done
   * when it is back, before anything is written to it. Those that the regions have had before are read at once, so that one that hangs
   * holds up no other.
   * @param memory the vaults that the regions have had before
   * @throws {VaultFault} `vault-misconfigured`, when the vault of one region is that of another
   */
  async identify(log: Logger, memory?: VaultMemory): Promise<void> {
    const together = new SeenTogether(memory, log);
    const vaults = [...this.byRegion.values()];
    const isKnown = await Promise.all(
      vaults.map(async ({ region }) => (await memory?.vaultIdOf(region)) !== undefined),
    );
    const known = await Promise.allSettled(
      vaults.filter((_, index) => isKnown[index]).map((vault) => identifyOne(vault, together, log)),
    );
    for (const each of known) if (each.status === 'rejected') throw each.reason;
    // New ones are read one after the other. Of two regions with one new vault the first gets it, and the fault of the second names it.
    for (const vault of vaults.filter((_, index) => !isKnown[index])) await identifyOne(vault, together, log);
  }
}

/** @throws {VaultFault} `vault-misconfigured`; a vault that is away is only told of */
async function identifyOne(vault: Vault, memory: VaultMemory, log: Logger): Promise<void> {
  const { region } = vault;
  try {
    const identity = await vault.identify(memory);
    for (const weakness of identity?.weaknesses ?? []) log.warn({ region }, weakness);
    if (!identity) log.info({ region }, `the vault of ${region} may only be read, and has no identity yet`);
  } catch (error) {
    if (!(error instanceof VaultFault) || error.code === 'vault-misconfigured') throw error;
    log.warn({ err: error, region }, `the vault of ${region} is away: ${error.message}`);
  }
}

/** Remembers the vaults of this start as well, so that no two regions have the same vault. */
class SeenTogether implements VaultMemory {
  private readonly seen = new Map<string, VaultIdentity>();

  constructor(
    private readonly before: VaultMemory | undefined,
    private readonly log: Logger,
  ) {}

  async vaultIdOf(region: string): Promise<string | undefined> {
    return this.before?.vaultIdOf(region);
  }

  async remember(identity: VaultIdentity): Promise<{ region: string; vaultId: string }[]> {
    const { region, vaultId, device } = identity;
    const others = [...this.seen.values()].filter((other) => other.region !== region);
    const same = others.filter((other) => other.vaultId === vaultId);
    if (same.length > 0) return same;
    const beside = others.filter((other) => device !== undefined && other.device === device);
    if (beside.length > 0)
      this.log.warn(
        `the vault of ${region} is on one file system with that of ${beside.map((other) => other.region).join(', ')}: when that fails, all of them fail. Put each on its own disk, or better on its own host`,
      );
    this.seen.set(region, identity);
    return (await this.before?.remember(identity)) ?? [];
  }
}

/** @throws {VaultFault} `vault-misconfigured`, when there is no kind of vault for a URL */
export function openVaults(urls: ReadonlyMap<string, URL>, options: WatchOptions = {}): Vaults {
  const mostAtATime = threadsOfEach(urls.size);
  const paceOf = (region: string, url: URL) => options.traffic?.paceOf(storeOf(url), region) ?? new StorePace();
  const open = (region: string, url: URL) => openVault(region, url, { mostAtATime, pace: paceOf(region, url) });
  return new Vaults(new Map([...urls].map(([region, url]) => [region, open(region, url)])), options);
}

/** How many threads one vault may keep. Vaults that hang must leave some to everything else. */
function threadsOfEach(vaults: number): number {
  const threads = Number(process.env.UV_THREADPOOL_SIZE ?? usualThreads);
  return Math.max(1, Math.floor(((threads || usualThreads) - othersThreads) / Math.max(1, vaults)));
}

/**
 * What is asked too much when a vault is: a server of one's own, an account of Azure, or a bucket of AWS or Google, which limit each
 * by itself.
 */
export function storeOf({ protocol, host, searchParams }: URL): string {
  const endpoint = searchParams.get('endpoint') ?? '';
  const account = searchParams.get('account');
  if (URL.canParse(endpoint)) return [protocol, new URL(endpoint).origin, account].join(' ');
  return [protocol, account ?? host].join(' ');
}

function openVault(region: string, url: URL, shared: Shared): Vault {
  const open = kinds.get(url.protocol);
  try {
    if (open) return open(region, url, shared);
  } catch (error) {
    throw misconfigured(region, url, messageOf(error));
  }
  throw misconfigured(region, url, `there are vaults of these kinds: ${[...kinds.keys()].join(', ')}`);
}

function misconfigured(region: string, url: URL, why: string): VaultFault {
  // The user and the password are left out: the URL of another kind of vault may hold them.
  const shown = `${url.protocol}//${url.host}${url.pathname}`;
  return new VaultFault('vault-misconfigured', region, `The vault of ${region} can't be ${shown}: ${why}.`, {
    told: `The vault of ${region} is not set up as it should be.`,
  });
}
