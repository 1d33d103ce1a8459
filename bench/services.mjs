/** The services as processes, any number of each app, on the servers of `scratch.mjs` and with Kafka as the feed. */
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { serviceMemory } from '../dist/libs/runtime/src/index.js';
import { apps, root } from './stack.mjs';

export const namespace = 'bench';
/** Whose token the services know. */
export const accountId = 'acme';
export const token = 'bench';
const regions = ['DFW', 'IAD'];

export class Services {
  #running = { api: [], scheduler: [], replicator: [] };

  /**
   * @param parts.brokers undefined for a feed that needs none
   * @param parts.tokens by account, a further token. Default: none
   * @param parts.node the program that runs them. Default: that of this process
   */
  constructor(place, { url, brokers, env = {}, tokens = {}, node = process.execPath }) {
    this.node = node;
    const folder = join(place.folder, 'services');
    for (const region of regions) mkdirSync(join(folder, region), { recursive: true });
    const entries = Object.entries({ [accountId]: token, ...tokens }).map(([account, each]) => ({
      name: account === accountId ? 'admin' : account,
      sha256: createHash('sha256').update(each).digest('hex'),
      ...{ accountId: account, roles: ['admin'] },
    }));
    writeFileSync(join(folder, 'tokens.json'), JSON.stringify(entries));
    writeFileSync(join(folder, 'secret-key'), randomBytes(32).toString('base64'));
    this.env = {
      ...{ PATH: process.env.PATH, UV_THREADPOOL_SIZE: '16', ...serviceMemory(process.env.NODE_OPTIONS) },
      ...{ STRONGROOM_DATABASE_URL: url, STRONGROOM_FEED: 'kafka', KAFKA_BROKERS: brokers },
      ...{ STRONGROOM_NAMESPACE: namespace, STRONGROOM_HTTP_PORT: '0' },
      STRONGROOM_TOKENS_FILE: join(folder, 'tokens.json'),
      STRONGROOM_SECRET_KEY_FILE: join(folder, 'secret-key'),
      STRONGROOM_VAULTS: regions.map((region) => `${region}=${pathToFileURL(join(folder, region)).href}`).join(','),
      // What is measured here is the services' own work; the benchmarks of backups encrypt.
      STRONGROOM_RECIPIENTS: 'none',
      ...{ STRONGROOM_CUSTOMER_NETWORKS: '127.0.0.0/8,::1', STRONGROOM_LOG_LEVEL: 'warn', ...env },
    };
    place.undo.push(() => this.start(0));
  }

  /** Starts or stops processes until there are so many of each app, or of some of them. Those that were there first stay. */
  async start(count, some = apps) {
    for (const app of some) {
      const running = this.#running[app];
      await Promise.all(running.splice(count).map(stop));
      while (running.length < count) running.push(await startOne(app, this.env, this.node));
    }
  }

  pids(app) {
    return this.#running[app].map(({ child }) => child.pid);
  }

  /** Where the processes of the api listen. */
  get urls() {
    return this.#running.api.map(({ url }) => url);
  }
}

async function startOne(app, all, node) {
  const { STRONGROOM_SECRET_KEY_FILE: key, ...others } = all;
  const env = app === 'replicator' ? others : { ...others, STRONGROOM_SECRET_KEY_FILE: key };
  const child = spawn(node, [join(root, 'dist', 'apps', app, 'src', 'main.js')], {
    ...{ env, stdio: ['ignore', 'pipe', 'inherit'] },
  });
  const url = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.includes('"msg":"listening"')) resolve(JSON.parse(line).url);
    });
    child.once('exit', (code) => reject(new Error(`${app} ended with ${code}`)));
  });
  return { child, url };
}

async function stop({ child }) {
  if (child.exitCode !== null) return;
  child.kill('SIGTERM');
  await new Promise((resolve) => child.once('exit', resolve));
}
