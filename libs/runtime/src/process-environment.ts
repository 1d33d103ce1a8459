/**
 * What the environment of the process sets beside our own settings. Whatever could bend the process unseen is taken away before
 * anything is opened, and what remains doubtful is told once, by name and without its value.
 */
import { readFileSync } from 'node:fs';
import type { ConfigProblem } from './settings/given-settings.js';

/** Node and libraries read these where a connection says nothing; ours are described by our own settings alone. */
const ofLibpq = /^PG[A-Z][A-Z_]*$/;
const loopback = ['127.0.0.1', 'localhost', '::1'];
const othersWrite = 0o002;
/** A service has connections to clients, the database and the brokers, and the files of its vaults. */
const fewestFiles = 256;

/**
 * Frees the process from variables that bend connections, files or TLS. It changes `env` and the umask of the process.
 * @returns whole sentences that say what has no effect
 */
export function freeEnvironment(env: NodeJS.ProcessEnv): string[] {
  const told: string[] = [];
  const bent = Object.keys(env).filter((name) => ofLibpq.test(name) && name !== 'PGPASSFILE');
  for (const name of bent) delete env[name];
  if (bent.length > 0 || env.PGPASSFILE !== undefined) {
    const names = [...bent, ...(env.PGPASSFILE === undefined ? [] : ['PGPASSFILE'])].sort().join(', ');
    told.push(
      `${names}: variables of PostgreSQL's clients have no effect; the settings of a connection are in its URL.`,
    );
  }
  // Without a password, the driver would look into ~/.pgpass. There is no file below a device.
  env.PGPASSFILE = '/dev/null/none';
  if (env.NODE_TLS_REJECT_UNAUTHORIZED !== undefined) {
    delete env.NODE_TLS_REJECT_UNAUTHORIZED;
    told.push(
      'NODE_TLS_REJECT_UNAUTHORIZED has no effect: certificates are checked. NODE_EXTRA_CA_CERTS names a file with authorities of your own.',
    );
  }
  keepLoopbackDirect(env);
  process.umask(process.umask() | othersWrite);
  return told;
}

/** With NODE_USE_ENV_PROXY, Node sends requests to a proxy. Those to this machine itself go straight. */
function keepLoopbackDirect(env: NodeJS.ProcessEnv): void {
  const direct = env.no_proxy ?? env.NO_PROXY ?? '';
  const listed = direct.split(/[\s,]+/).filter(Boolean);
  if (listed.includes('*')) return;
  const all = [...new Set([...listed, ...loopback])].join(',');
  // The name in lower case goes before the other one.
  Object.assign(env, { no_proxy: all, NO_PROXY: all });
}

/** What makes a start useless that no setting of ours can mend. */
export function problemsOfProcess(limits = readLimits()): ConfigProblem[] {
  const files = /^Max open files\s+\d+\s+(\d+)/m.exec(limits)?.[1];
  if (files === undefined || Number(files) >= fewestFiles) return [];
  const problem = `(the limit of open files) is ${files}; it must be ${fewestFiles} or more`;
  return [{ variable: 'ulimit -n', problem }];
}

/** Empty where the operating system does not tell. */
function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return '';
  }
}
