/** The systems that `firing.mjs` measures, each in a process of its own. What a peer needs is fetched once. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../dist/libs/server-processes/src/index.js';
import { openProcess } from './asked-process.mjs';
import { openQuartz, quartzVersion } from './peers/quartz/quartz.mjs';
import { root } from './stack.mjs';

const folder = join(dirname(fileURLToPath(import.meta.url)), 'peers', 'firing');

/** The newest peers want a newer Node than the oldest that the services run on: then all systems run on it. */
export function nodeForAll() {
  if (Number(process.versions.node.split('.')[0]) >= 22) return process.execPath;
  const fetched = join(root, '.strongroom', 'node-24.21.0', 'bin', 'node');
  return existsSync(fetched) ? fetched : undefined;
}

const redisPackages = 'redis-server redis-tools libjemalloc2 liblzf1 liblua5.1-0 lua-cjson lua-bitop libatomic1';

/** The program of Redis: the one that is installed, or one that apt brings, which installs nothing. Undefined where there is none. */
function redisProgram() {
  const installed = ['/usr/bin/redis-server', '/usr/local/bin/redis-server'].find((file) => existsSync(file));
  if (installed) return installed;
  const folder = join(root, '.strongroom', 'redis');
  const fetched = join(folder, 'usr', 'bin', 'redis-server');
  if (!existsSync(fetched)) {
    const unpack = `apt-get -q download ${redisPackages} && for each in *.deb; do dpkg -x "$each" .; done; rm -f *.deb`;
    mkdirSync(folder, { recursive: true });
    try {
      execFileSync('sh', ['-c', unpack], { cwd: folder, stdio: 'ignore' });
    } catch {
      return undefined;
    }
  }
  return existsSync(fetched) ? fetched : undefined;
}

/** @returns the port of a Redis of its own, which writes each command to the disk; undefined where there is no Redis */
async function startRedis(place) {
  const program = redisProgram();
  if (!program) return undefined;
  const port = await freePort();
  const durable = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always'];
  const options = ['--port', port, '--bind', '127.0.0.1', '--dir', place.folder, '--maxmemory-policy', 'noeviction'];
  const library = join(dirname(program), '..', 'lib', 'x86_64-linux-gnu');
  const env = { ...process.env, LD_LIBRARY_PATH: library };
  const server = spawn(program, [...durable, ...options].map(String), { stdio: 'ignore', env });
  place.undo.push(async () => server.kill('SIGTERM'));
  await delay(1_000);
  return server.exitCode === null ? port : undefined;
}

/**
 * Starts the peers that can run here, each in a process and a database of its own.
 * @param wanted their names
 * @returns the peers by name, and in one sentence each why the others are left out
 */
export async function startPeers(place, { wanted, node, server, password, query }) {
  const peers = new Map();
  const leftOut = [];
  const ofNode = wanted.filter((name) => name !== 'quartz');
  if (ofNode.length > 0 && node && !existsSync(join(folder, 'node_modules'))) {
    execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder, stdio: 'inherit' });
  }
  for (const name of wanted) {
    const database = name.replace('-', '_');
    if (name === 'quartz') {
      await query(`create database ${database}`);
      const peer = await openQuartz(join(root, '.strongroom', 'quartz'), { port: server.port, database, password });
      if (peer.reason) leftOut.push(`Quartz was left out: ${peer.reason}.`);
      else {
        place.undo.push(async () => peer.kill());
        peers.set(name, peer);
      }
    } else if (!node) leftOut.push(`${name} was left out: it needs Node 22 or newer.`);
    else if (name === 'bullmq') {
      const redis = await startRedis(place);
      if (redis === undefined) leftOut.push('BullMQ was left out: there is no redis-server, and apt brings none.');
      else peers.set(name, await openProcess(place, join(folder, 'bullmq.mjs'), { redis }, node));
    } else {
      await query(`create database ${database}`);
      peers.set(name, await openProcess(place, join(folder, `${name}.mjs`), { url: server.url(database) }, node));
    }
  }
  return { peers, leftOut };
}

export function versionOf(name) {
  if (name === 'quartz') return quartzVersion();
  return JSON.parse(readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8')).version;
}
