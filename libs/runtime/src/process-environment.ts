/**
 * What the environment of the process sets beside our own settings. Whatever could bend the process unseen is taken away before
 * anything is opened, and what has no effect is told once, by name and without its value.
 */
import tls from 'node:tls';

/** Node and libraries read these where a connection says nothing; ours are described by our own settings alone. */
const ofLibpq = /^PG[A-Z][A-Z_]*$/;
/** Another driver of PostgreSQL, what is logged beside our own log, and how often Kafka is tried again. */
const ofLibraries = /^(NODE_PG_FORCE_NATIVE|KAFKAJS_\w+|NEST_\w+|DEBUG)$/;
const loopback = ['127.0.0.1', 'localhost', '::1'];
const ownRights = 0o700;
const othersWrite = 0o002;
const leastTls = 'TLSv1.2';

let toldOfProcess: string[] | undefined;

/**
 * Frees this process at the first call. Some libraries read their variables while they are loaded, so the first import of an app
 * is `@strongroom/runtime/free-this-process`, which calls this.
 * @returns at each call, whole sentences that say what has no effect
 */
export function freeThisProcess(): readonly string[] {
  toldOfProcess ??= freeEnvironment(process.env);
  return toldOfProcess;
}

/** Frees the process from variables and options that bend connections, files, libraries or TLS. It changes `env`. */
function freeEnvironment(env: NodeJS.ProcessEnv): string[] {
  const told = [...freeFromLibpq(env), ...freeFromLibraries(env), ...freeTls(env)];
  keepLoopbackDirect(env);
  // This process reads and changes what it has written, and nobody else changes it.
  process.umask((process.umask() & ~ownRights) | othersWrite);
  return told;
}

function freeFromLibpq(env: NodeJS.ProcessEnv): string[] {
  const names = taken(env, (name) => ofLibpq.test(name));
  // Without a password, the driver would look into ~/.pgpass. There is no file below a device.
  env.PGPASSFILE = '/dev/null/none';
  if (names === '') return [];
  return [`${names}: variables of PostgreSQL's clients have no effect; the settings of a connection are in its URL.`];
}

function freeFromLibraries(env: NodeJS.ProcessEnv): string[] {
  const names = taken(env, (name) => ofLibraries.test(name) || (name === 'NODE_ENV' && env.NODE_ENV === 'test'));
  if (names === '') return [];
  return [`${names}: variables of the libraries have no effect; STRONGROOM_LOG_LEVEL says how much is logged.`];
}

function freeTls(env: NodeJS.ProcessEnv): string[] {
  const told: string[] = [];
  if (taken(env, (name) => name === 'NODE_TLS_REJECT_UNAUTHORIZED') !== '') {
    told.push(
      'NODE_TLS_REJECT_UNAUTHORIZED has no effect: certificates are checked. NODE_EXTRA_CA_CERTS names a file with authorities of your own.',
    );
  }
  if (tls.DEFAULT_MIN_VERSION < leastTls) {
    const option = tls.DEFAULT_MIN_VERSION === 'TLSv1' ? '--tls-min-v1.0' : '--tls-min-v1.1';
    tls.DEFAULT_MIN_VERSION = leastTls;
    told.push(`NODE_OPTIONS: ${option} has no effect; no connection uses TLS below 1.2.`);
  }
  return told;
}

/** Takes variables away. @returns their names, in order and with commas */
function taken(env: NodeJS.ProcessEnv, isBending: (name: string) => boolean): string {
  const names = Object.keys(env).filter(isBending).sort();
  for (const name of names) delete env[name];
  return names.join(', ');
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
