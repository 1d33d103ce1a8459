/**
 * What makes a start useless, and neither our settings nor the process itself can mend. It is refused by its name, as a wrong
 * setting is.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { messageOf } from '@strongroom/contracts';
import { mustBe } from './settings/forms.js';
import type { ConfigProblem } from './settings/given-settings.js';

/** A service has connections to clients, the database and the brokers, and the files of its vaults. */
const fewestFiles = 256;
/** Fewer threads, and one file system that is slow holds up the names of hosts, compression and every other file. */
const threads = { fewest: 4, most: 1_024 };
/** A service that is idle has half of this in use, and one with less ends in the middle of its work. */
const leastMemoryMb = 96;

export function problemsOfProcess(env: NodeJS.ProcessEnv, limits = readLimits()): ConfigProblem[] {
  const options = [env.NODE_OPTIONS ?? '', ...process.execArgv].join(' ');
  return [
    ...limitsThatCut(limits),
    ...threadsOfNode(env),
    ...memoryOfJavaScript(options),
    ...authorities(env, options),
  ];
}

function limitsThatCut(limits: string): ConfigProblem[] {
  const limit = (name: string) => new RegExp(`^${name}\\s+(\\d+)\\s`, 'm').exec(limits)?.[1];
  const files = limit('Max open files');
  const fileSize = limit('Max file size');
  const seconds = limit('Max cpu time');
  return [
    ...(files !== undefined && Number(files) < fewestFiles
      ? [{ variable: 'ulimit -n', problem: `(the limit of open files) is ${files}; it must be ${fewestFiles} or more` }]
      : []),
    ...(fileSize === undefined
      ? []
      : [
          {
            variable: 'ulimit -f',
            problem: `(the limit of the size of a file) is ${fileSize} bytes; it must be unlimited`,
          },
        ]),
    ...(seconds === undefined
      ? []
      : [{ variable: 'ulimit -t', problem: `(the limit of processor time) is ${seconds} s; it must be unlimited` }]),
  ];
}

/** Node takes whatever is no number for one thread. */
function threadsOfNode({ UV_THREADPOOL_SIZE: given }: NodeJS.ProcessEnv): ConfigProblem[] {
  const { fewest, most } = threads;
  if (given === undefined || (/^\d+$/.test(given) && Number(given) >= fewest && Number(given) <= most)) return [];
  const problem = `is ${JSON.stringify(given)}; it ${mustBe(`an integer from ${fewest} to ${most}`)}`;
  return [{ variable: 'UV_THREADPOOL_SIZE', problem }];
}

function memoryOfJavaScript(options: string): ConfigProblem[] {
  const given = [...options.matchAll(/--max[-_]old[-_]space[-_]size[= ](\d+)/g)].at(-1)?.[1];
  if (given === undefined || Number(given) >= leastMemoryMb) return [];
  const problem = `(the memory of JavaScript) is ${given} MB; it must be ${leastMemoryMb} or more`;
  return [{ variable: '--max-old-space-size', problem }];
}

/** Node only warns of a file of authorities that it can't read, and then trusts none of them. */
function authorities(env: NodeJS.ProcessEnv, options: string): ConfigProblem[] {
  const ofOpenssl = /--use-(openssl|system)-ca/.test(options) || env.NODE_USE_SYSTEM_CA === '1';
  return ['NODE_EXTRA_CA_CERTS', ...(ofOpenssl ? ['SSL_CERT_FILE'] : [])].flatMap((variable) => {
    const path = env[variable];
    if (!path) return [];
    try {
      new X509Certificate(readFileSync(path));
      return [];
    } catch (error) {
      const problem = `is ${JSON.stringify(path)}; it ${mustBe('a file with certificates in the form PEM')}: ${messageOf(error)}`;
      return [{ variable, problem }];
    }
  });
}

/** Empty where the operating system does not tell. */
function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return '';
  }
}
