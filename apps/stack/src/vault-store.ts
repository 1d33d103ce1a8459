/** What holds the vaults of the stack: a folder for each region, or a bucket for each region in an S3 server of its own. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { findGoProgram, VersityGateway, versityRegion, versitySource } from '@strongroom/local-services';
import { UsageFault } from './options.js';
import { portOf } from './ports.js';
import { readOrMakeStoreKeys } from './secrets.js';

export type VaultStore =
  | { kind: 'folders'; vaults: Record<string, string> }
  | {
      kind: 's3';
      vaults: Record<string, string>;
      url: string;
      start: (signal: AbortSignal) => Promise<VersityGateway>;
    };

export interface VaultWishes {
  /** Undefined goes on with what the data have, and begins with folders. */
  wanted: 'folders' | 's3' | undefined;
  regions: readonly string[];
  /** The stack's data folder. */
  data: string;
  projectFolder: string;
  env: NodeJS.ProcessEnv;
  logFile: string;
  onBuild: () => void;
  signal: AbortSignal;
}

/** @throws {UsageFault} when the data have their vaults in the other kind; an error when there is no S3 server to be had */
export async function chooseVaults(wishes: VaultWishes): Promise<VaultStore> {
  const { wanted, data } = wishes;
  const before = vaultsBefore(data);
  if (before !== undefined && wanted !== undefined && wanted !== before) {
    const s3 = 'in buckets (--vaults s3)';
    const [there, asked] = before === 's3' ? [s3, 'in folders'] : ['in folders', s3];
    throw new UsageFault(
      `the backups in ${data} lie ${there}, and nothing moves them. Leave --vaults out, or take another folder for backups ${asked}: --data DIRECTORY`,
    );
  }
  return (wanted ?? before) === 's3' ? buckets(wishes) : folders(wishes);
}

/** What holds the vaults of data that an earlier start has left. */
export function vaultsBefore(data: string): 'folders' | 's3' | undefined {
  if (existsSync(join(data, 's3'))) return 's3';
  return existsSync(join(data, 'vaults')) ? 'folders' : undefined;
}

function folders({ data, regions }: VaultWishes): VaultStore {
  const vaults = regions.map((region) => {
    const folder = join(data, 'vaults', region);
    mkdirSync(folder, { recursive: true });
    // A comma separates the vaults in a list, so a path must not have one.
    return [region, pathToFileURL(folder).href.replaceAll(',', '%2C')] as const;
  });
  return { kind: 'folders', vaults: Object.fromEntries(vaults) };
}

async function buckets(wishes: VaultWishes): Promise<VaultStore> {
  const { data, regions, projectFolder, env, logFile, onBuild, signal } = wishes;
  const programs = join(projectFolder, '.strongroom');
  const found = await findGoProgram(programs, versitySource(projectFolder), { onBuild, signal, env });
  signal.throwIfAborted();
  if (found.path === undefined) {
    throw new Error(
      `--vaults s3: no S3 server is available: ${found.reason}. To have one, ${found.remedy}. Without --vaults s3, new data keep the backups in folders.`,
    );
  }
  const { path: program } = found;
  const directory = join(data, 's3');
  mkdirSync(directory, { recursive: true });
  await VersityGateway.endLeftover(directory);
  const port = await portOf('s3', data);
  const url = `http://127.0.0.1:${port}`;
  const keysFile = join(directory, 'keys.json');
  const keys = readOrMakeStoreKeys(keysFile);
  const bucketOf = (region: string) => `strongroom-${region.toLowerCase()}`;
  const addressOf = (region: string) => {
    const address = new URL(`s3://${bucketOf(region)}`);
    const parameters = { endpoint: url, region: versityRegion, credentials: keysFile };
    for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value);
    return address.href;
  };
  return {
    kind: 's3',
    url,
    vaults: Object.fromEntries(regions.map((region) => [region, addressOf(region)])),
    start: (calledOff) =>
      VersityGateway.start({
        program,
        directory,
        port,
        keys,
        buckets: regions.map(bucketOf),
        logFile,
        ownSession: true,
        signal: calledOff,
      }),
  };
}
