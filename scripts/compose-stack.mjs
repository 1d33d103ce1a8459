/** The stack of docker-compose.yml under a name of its own, for `npm run test:compose`. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { slowness } from '../test/services/slowness.mjs';

export const account = 'demo';
export const apps = ['api', 'scheduler', 'replicator'];
export const project = `strongroom-test-${process.pid}`;
/** Aborted when the test is to end. */
export const interrupted = new AbortController();

const image = `${project}:local`;
const services = [...apps, 'kafka', 'database', 's3', 'demo-customer'];
const root = fileURLToPath(new URL('..', import.meta.url));

/** Resolves to what the command wrote to stdout. The command has a process group of its own, so Ctrl-C does not reach it. */
function run(command, args, { env = process.env, signal = interrupted.signal } = {}) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const child = spawn(command, args, { cwd: root, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let all = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
      all += chunk;
    });
    child.stderr.on('data', (chunk) => {
      all += chunk;
    });
    const stop = () => child.kill('SIGINT');
    signal?.addEventListener('abort', stop, { once: true });
    child.once('error', reject);
    child.once('close', (code) => {
      signal?.removeEventListener('abort', stop);
      if (signal?.aborted) reject(signal.reason);
      else if (code === 0) resolve(output.trim());
      else reject(new Error(`${command} ${args.join(' ')} ended with ${code}:\n${lastLines(all, 40)}`));
    });
  });
}

const lastLines = (text, count) => text.trimEnd().split('\n').slice(-count).join('\n');

/** Why the stack cannot be brought up here; undefined when it can. */
export async function missing() {
  const install = 'Install Docker Engine with the Compose plugin (https://docs.docker.com/engine/install/)';
  try {
    await run('docker', ['info', '--format', '{{.ServerVersion}}']);
  } catch (error) {
    const host = process.env.DOCKER_HOST ?? 'the default socket';
    if (error.code === 'ENOENT') return `There is no docker command on this machine. ${install}.`;
    return `No Docker engine answers at ${host}. ${install}, start it, or name another in DOCKER_HOST.`;
  }
  try {
    await run('docker', ['compose', 'version', '--short']);
  } catch {
    return `This docker has no Compose plugin. ${install}; Debian and Ubuntu call it docker-compose-plugin.`;
  }
  return undefined;
}

/** The network of the demo customer's server. */
const customers = `172.31.${process.pid % 256}.0/24`;

/** @param port where the API is published */
export const stack = (port) => {
  const env = {
    ...process.env,
    STRONGROOM_PORT: String(port),
    STRONGROOM_IMAGE: image,
    STRONGROOM_ACCOUNT: account,
    // A stack that runs beside this one has the default.
    STRONGROOM_CUSTOMER_SUBNET: customers,
    STRONGROOM_CUSTOMER_NETWORKS: customers,
    STRONGROOM_DELETION_DELAY_SECONDS: '0',
  };
  const compose = (args, options) =>
    run('docker', ['compose', '--project-name', project, ...args], { env, ...options });
  const containers = async (format, of = services) =>
    (
      await run('docker', ['inspect', '--format', format, ...(await compose(['ps', '--quiet', ...of])).split('\n')])
    ).split('\n');
  return {
    up: (...options) =>
      compose([
        '--progress',
        'plain',
        'up',
        '--wait',
        '--wait-timeout',
        String(Math.round(300 * slowness())),
        ...options,
      ]),
    restart: () => compose(['restart']),
    secret: (name) => compose(['run', '--rm', '--no-TTY', 'init', 'show', name]),
    keys: () => compose(['exec', '--no-TTY', 'api', 'node', 'dist/apps/cli/src/main.js', 'keys', 'list', '--plain']),
    init: (...args) => compose(['run', '--rm', '--no-TTY', 'init', ...args]),
    logOf: (service) => compose(['logs', '--no-color', '--no-log-prefix', service]),
    /** The command line, in a container that has the keys of the buckets, and the file that is given as /identity. */
    cli: (identity, ...args) =>
      run('docker', [
        ...[
          'run',
          '--rm',
          '--read-only',
          '--network',
          `${project}_strongroom`,
          '--tmpfs',
          '/restored:size=512m,uid=1000',
        ],
        ...[
          '--volume',
          `${project}_secrets-of-replicator:/run/secrets:ro`,
          '--env',
          'STRONGROOM_ALLOW_PLAINTEXT=vaults',
          ...(identity === undefined ? [] : ['--volume', `${identity}:/identity:ro`]),
        ],
        ...[image, 'node', 'dist/apps/cli/src/main.js', ...args],
      ]),
    inside: (service, command) => compose(['exec', '--no-TTY', service, 'sh', '-c', command]),
    published: () => containers('{{.Name}}{{range $port, $to := .HostConfig.PortBindings}} {{$port}} {{$to}}{{end}}'),
    startTimes: () => containers('{{.Name}} {{.State.StartedAt}}'),
    async logs() {
      for (const service of [...services, 'init', 'migrate']) {
        const lines = await compose(['logs', '--no-color', '--no-log-prefix', '--tail', '25', service], {
          signal: null,
        });
        console.log(`\n--- the last of ${service} ---\n${lines}`);
      }
    },
    /** It runs to its end even after Ctrl-C, so it listens to no signal. */
    async down() {
      await compose(['down', '--volumes', '--remove-orphans', '--timeout', '10'], { signal: null });
      const images = await run('docker', ['image', 'ls', '--quiet', '--filter', `reference=${project}*`], {
        signal: null,
      });
      if (images) await run('docker', ['image', 'rm', '--force', ...new Set(images.split('\n'))], { signal: null });
    },
    async leftovers() {
      const label = ['--filter', `label=com.docker.compose.project=${project}`, '--format'];
      const found = await Promise.all([
        run('docker', ['ps', '--all', ...label, '{{.Names}}'], { signal: null }),
        run('docker', ['volume', 'ls', ...label, '{{.Name}}'], { signal: null }),
        run('docker', ['network', 'ls', ...label, '{{.Name}}'], { signal: null }),
        run('docker', ['image', 'ls', '--filter', `reference=${project}*`, '--format', '{{.Repository}}'], {
          signal: null,
        }),
      ]);
      return found.flatMap((names) => names.split('\n')).filter(Boolean);
    },
  };
};
