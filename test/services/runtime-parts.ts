/** The runtime's parts of an app that a spec works with itself, without opening the app: a vault for each region, silent. */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type ConfigOf, createLogger, loadConfig, type RuntimeParts, runtimeParts } from '@strongroom/runtime';
import { builtServersIn } from './built-servers.js';
import { backupsInClear } from './in-clear.js';

export class SpecRuntime {
  private constructor(private readonly folder: string) {}

  static async create(...regions: string[]): Promise<SpecRuntime> {
    const folder = await mkdtemp(join(tmpdir(), 'strongroom-spec-'));
    for (const region of regions) await mkdir(join(folder, region));
    return new SpecRuntime(folder);
  }

  /** The runtime parts of an app, with metrics of their own at each call. */
  partsOf<App extends 'scheduler' | 'replicator'>(
    app: App,
    databaseUrl: string,
    regions: string[],
  ): RuntimeParts<ConfigOf[App]> {
    const config = loadConfig(app, {
      STRONGROOM_DATABASE_URL: databaseUrl,
      STRONGROOM_FEED: 'embedded',
      STRONGROOM_VAULTS: regions
        .map((region) => `${region}=${pathToFileURL(join(this.folder, region)).href}`)
        .join(','),
      STRONGROOM_SECRET_KEY: randomBytes(32).toString('base64'),
      ...backupsInClear,
      ...(app === 'scheduler' && builtServersIn(this.folder)),
    });
    return runtimeParts(config, createLogger({ app, level: 'silent', to: { write() {} } }));
  }

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }
}
