/**
 * An app's configuration, read once from its environment. Every wrong variable is told at once, by name and with what
 * it may be; the value of a secret is never told.
 */
import { readFileSync } from 'node:fs';
import { defaultNamespace, Fault, messageOf, regionName } from '@strongroom/contracts';
import { z } from 'zod';
import {
  brokerList,
  brokersForm,
  defaultKeystoneRoles,
  defaultPageLimits,
  defaultRateLimits,
  integer,
  keystoneForm,
  keystoneRoles,
  keystoneUrl,
  type PageLimits,
  pageLimits,
  postgresUrl,
  publicUrl,
  type RateLimit,
  rateLimits,
  seconds,
  secretKey,
  tokensFile,
  tokensForm,
  vaultList,
} from './config-forms.js';

export type { PageLimits, RateLimit } from './config-forms.js';

export type AppName = 'api' | 'scheduler' | 'replicator';

export type FeedConfig = { kind: 'kafka'; brokers: string[] } | { kind: 'embedded' };

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** Where tokens are looked up. */
export type IdentityConfig =
  | { kind: 'static'; tokensFile: string }
  | {
      kind: 'keystone';
      url: URL;
      user: { name: string; domain: string; password: string; project: string; projectDomain: string };
      account: 'project-id' | 'project-name';
      /** Our role by Keystone's. */
      roles: ReadonlyMap<string, string>;
      cacheMs: number;
      timeoutMs: number;
    };

export interface AppConfig {
  app: AppName;
  databaseUrl: string;
  feed: FeedConfig;
  /** The prefix of topics and consumer groups, so that several deployments can share a broker. */
  namespace: string;
  http: { host: string; port: number };
  /** Where clients reach the API, for the links in its answers. Without it: where each request says that it came. */
  publicUrl?: string;
  homeRegion: string;
  /** Where each region's backups lie, the home region's included. */
  vaults: ReadonlyMap<string, URL>;
  /** The regions that a backup may be copied to: those with a vault, without the home region. */
  copyRegions: readonly string[];
  /** Of the API alone. */
  identity?: IdentityConfig;
  /** 32 bytes that credentials are sealed with. */
  secretKey?: Buffer;
  logLevel: LogLevel;
  leaseMs: number;
  /** How late a slot may still be made up for. */
  catchUpMs: number;
  backupConcurrency: number;
  /** Copies to one region at a time. */
  copyConcurrency: number;
  copyRetryMs: number;
  /** After so long without a byte moved, a copy's vault is taken to be away. */
  copyStallMs: number;
  /** What attempts left in a vault is removed after so long. */
  sweepGraceMs: number;
  /** Of those that fail for another reason than their region's outage. */
  maxCopyAttempts: number;
  /** Where servers that are built from backups are kept; without it none are built. */
  instancesFolder?: string;
  /** Schedules that an account may have. */
  mostSchedules: number;
  pageLimits: Readonly<PageLimits>;
  /** How many requests of an operation an account may make, counted over all processes of the API; first match counts. */
  rateLimits: readonly RateLimit[];
  /** The process ends itself when its standard input closes, so that it never outlives who started it. */
  supervised: boolean;
}

/** What an app can't do without, beyond what all need. */
export interface ConfigOf extends Record<AppName, AppConfig> {
  api: AppConfig & { identity: IdentityConfig; secretKey: Buffer };
  scheduler: AppConfig & { secretKey: Buffer };
  replicator: AppConfig;
}

export interface ConfigProblem {
  variable: string;
  problem: string;
}

/** The environment is not a configuration. Never retryable: somebody has to change it. */
export class ConfigFault extends Fault<'config-invalid'> {
  override readonly name = 'ConfigFault';

  constructor(
    app: AppName,
    readonly problems: readonly ConfigProblem[],
  ) {
    const lines = problems.map(({ variable, problem }) => `  ${variable} ${problem}`);
    const message = `strongroom ${app} can't start with this environment; change and start again:\n${lines.join('\n')}`;
    super('config-invalid', false, message);
  }
}

const defaultPorts: Readonly<Record<AppName, number>> = { api: 8779, scheduler: 8780, replicator: 8781 };
/** The reference of the API has it that no copy goes there, whatever a deployment would like. */
export const noCopiesTo = 'LON';
const mayBeFiles = ['STRONGROOM_DATABASE_URL', 'STRONGROOM_SECRET_KEY', 'STRONGROOM_KEYSTONE_PASSWORD'];
/** Their values are never told: they hold a password or a key. */
const untold = new Set([...mayBeFiles, 'STRONGROOM_VAULTS']);
function environmentOf(app: AppName) {
  return z.object({
    STRONGROOM_DATABASE_URL: postgresUrl,
    STRONGROOM_FEED: z.enum(['kafka', 'embedded'], { error: 'must be kafka or embedded' }).default('kafka'),
    STRONGROOM_NAMESPACE: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, { error: 'must be 1 to 64 characters of A-Z a-z 0-9 _ -' })
      .default(defaultNamespace),
    KAFKA_BROKERS: brokerList.optional(),
    STRONGROOM_HTTP_HOST: z.string().default('127.0.0.1'),
    STRONGROOM_HTTP_PORT: integer(0, 65_535, '; 0 takes any free port').default(defaultPorts[app]),
    STRONGROOM_PUBLIC_URL: publicUrl.optional(),
    STRONGROOM_HOME_REGION: regionName.default('DFW'),
    STRONGROOM_VAULTS: vaultList,
    STRONGROOM_IDENTITY: z.enum(['static', 'keystone'], { error: 'must be static or keystone' }).default('static'),
    STRONGROOM_TOKENS_FILE: tokensFile.optional(),
    STRONGROOM_KEYSTONE_URL: keystoneUrl.optional(),
    STRONGROOM_KEYSTONE_USER: z.string().default('strongroom'),
    STRONGROOM_KEYSTONE_USER_DOMAIN: z.string().default('Default'),
    STRONGROOM_KEYSTONE_PASSWORD: z.string().optional(),
    STRONGROOM_KEYSTONE_PROJECT: z.string().default('service'),
    STRONGROOM_KEYSTONE_PROJECT_DOMAIN: z.string().default('Default'),
    STRONGROOM_KEYSTONE_ACCOUNT: z
      .enum(['project-id', 'project-name'], { error: 'must be project-id or project-name' })
      .default('project-id'),
    STRONGROOM_KEYSTONE_ROLES: keystoneRoles.default(() => keystoneRoles.parse(defaultKeystoneRoles)),
    STRONGROOM_KEYSTONE_CACHE_SECONDS: seconds(0, 3_600).default(60_000),
    STRONGROOM_KEYSTONE_TIMEOUT_SECONDS: seconds(0.1, 60).default(5_000),
    STRONGROOM_SECRET_KEY: app === 'replicator' ? secretKey.optional() : secretKey,
    STRONGROOM_LOG_LEVEL: z.enum(logLevels, { error: `must be one of ${logLevels.join(', ')}` }).default('info'),
    STRONGROOM_LEASE_SECONDS: seconds(1, 3_600).default(15_000),
    STRONGROOM_CATCH_UP_MINUTES: integer(0, 525_600)
      .transform((minutes) => minutes * 60_000)
      .default(720 * 60_000),
    STRONGROOM_BACKUP_CONCURRENCY: integer(1, 64).default(2),
    STRONGROOM_COPY_CONCURRENCY: integer(1, 64).default(2),
    STRONGROOM_COPY_RETRY_SECONDS: seconds(0, 300).default(5_000),
    STRONGROOM_COPY_STALL_SECONDS: seconds(1, 86_400).default(600_000),
    STRONGROOM_SWEEP_GRACE_HOURS: integer(1, 8_760)
      .transform((hours) => hours * 3_600_000)
      .default(24 * 3_600_000),
    STRONGROOM_MAX_COPY_ATTEMPTS: integer(1, 100_000).default(100),
    STRONGROOM_MAX_SCHEDULES: integer(0, 10_000_000).default(10_000),
    STRONGROOM_PAGE_LIMITS: pageLimits.default(defaultPageLimits),
    STRONGROOM_RATE_LIMITS: rateLimits.default(() => rateLimits.parse(defaultRateLimits)),
    STRONGROOM_INSTANCES_DIR: z.string().optional(),
    STRONGROOM_SUPERVISED: z.enum(['0', '1'], { error: 'must be 0 or 1' }).default('0'),
  });
}

/**
 * Reads the configuration of an app. A variable that is empty counts as absent.
 * @throws {ConfigFault} naming every wrong variable
 */
export function loadConfig<A extends AppName>(app: A, env: NodeJS.ProcessEnv): ConfigOf[A];
export function loadConfig(app: AppName, env: NodeJS.ProcessEnv): AppConfig {
  const problems: ConfigProblem[] = [];
  const given = withFilesRead(env, problems);
  if (app === 'api') requireIdentity(given, problems);
  const inFiles = new Set(problems.map(({ variable }) => variable.replace(/_FILE$/, '')));
  const parsed = environmentOf(app).safeParse(given);
  if (!parsed.success) {
    const told = new Set<string>();
    for (const { path, message } of parsed.error.issues) {
      const variable = String(path[0]);
      if (told.has(variable) || inFiles.has(variable)) continue;
      told.add(variable);
      problems.push({ variable, problem: `${stateOf(variable, given[variable])}; it ${message}` });
    }
    throw new ConfigFault(app, problems);
  }
  const read = parsed.data;
  if (read.STRONGROOM_FEED === 'kafka' && !read.KAFKA_BROKERS) {
    const problem = `is not set; it ${brokersForm} when STRONGROOM_FEED is kafka`;
    problems.push({ variable: 'KAFKA_BROKERS', problem });
  }
  const regions = [...read.STRONGROOM_VAULTS.keys()];
  if (!regions.includes(read.STRONGROOM_HOME_REGION)) {
    const problem = `is ${read.STRONGROOM_HOME_REGION}; it must be a region of STRONGROOM_VAULTS: ${regions.join(', ')}`;
    problems.push({ variable: 'STRONGROOM_HOME_REGION', problem });
  }
  if (regions.includes(noCopiesTo) && read.STRONGROOM_HOME_REGION !== noCopiesTo) {
    const problem = `has a vault for ${noCopiesTo}; copies to that region are not supported: it may be the home region only`;
    problems.push({ variable: 'STRONGROOM_VAULTS', problem });
  }
  if (problems.length > 0) throw new ConfigFault(app, problems);
  return {
    app,
    databaseUrl: read.STRONGROOM_DATABASE_URL,
    feed:
      read.STRONGROOM_FEED === 'kafka' ? { kind: 'kafka', brokers: read.KAFKA_BROKERS ?? [] } : { kind: 'embedded' },
    namespace: read.STRONGROOM_NAMESPACE,
    http: { host: read.STRONGROOM_HTTP_HOST, port: read.STRONGROOM_HTTP_PORT },
    ...(read.STRONGROOM_PUBLIC_URL !== undefined && { publicUrl: read.STRONGROOM_PUBLIC_URL }),
    homeRegion: read.STRONGROOM_HOME_REGION,
    vaults: read.STRONGROOM_VAULTS,
    copyRegions: regions.filter((region) => region !== read.STRONGROOM_HOME_REGION),
    ...(app === 'api' && { identity: identityOf(read) }),
    ...(read.STRONGROOM_SECRET_KEY !== undefined && { secretKey: read.STRONGROOM_SECRET_KEY }),
    logLevel: read.STRONGROOM_LOG_LEVEL,
    leaseMs: read.STRONGROOM_LEASE_SECONDS,
    catchUpMs: read.STRONGROOM_CATCH_UP_MINUTES,
    backupConcurrency: read.STRONGROOM_BACKUP_CONCURRENCY,
    copyConcurrency: read.STRONGROOM_COPY_CONCURRENCY,
    copyRetryMs: read.STRONGROOM_COPY_RETRY_SECONDS,
    copyStallMs: read.STRONGROOM_COPY_STALL_SECONDS,
    sweepGraceMs: read.STRONGROOM_SWEEP_GRACE_HOURS,
    maxCopyAttempts: read.STRONGROOM_MAX_COPY_ATTEMPTS,
    ...(read.STRONGROOM_INSTANCES_DIR !== undefined && { instancesFolder: read.STRONGROOM_INSTANCES_DIR }),
    mostSchedules: read.STRONGROOM_MAX_SCHEDULES,
    pageLimits: read.STRONGROOM_PAGE_LIMITS,
    rateLimits: read.STRONGROOM_RATE_LIMITS,
    supervised: read.STRONGROOM_SUPERVISED === '1',
  };
}

/** What the chosen way of telling who asks can't do without. */
function requireIdentity(given: NodeJS.ProcessEnv, problems: ConfigProblem[]): void {
  const kind = given.STRONGROOM_IDENTITY === 'keystone' ? 'keystone' : 'static';
  const required = {
    static: { STRONGROOM_TOKENS_FILE: tokensForm },
    keystone: {
      STRONGROOM_KEYSTONE_URL: keystoneForm,
      STRONGROOM_KEYSTONE_PASSWORD: "must be the service user's password",
    },
  };
  for (const [variable, form] of Object.entries(required[kind])) {
    if (given[variable] !== undefined) continue;
    problems.push({ variable, problem: `is not set; it ${form} when STRONGROOM_IDENTITY is ${kind}` });
  }
}

function identityOf(read: z.output<ReturnType<typeof environmentOf>>): IdentityConfig {
  const { STRONGROOM_KEYSTONE_URL: url, STRONGROOM_KEYSTONE_PASSWORD: password } = read;
  if (read.STRONGROOM_IDENTITY === 'static' || !url) {
    return { kind: 'static', tokensFile: read.STRONGROOM_TOKENS_FILE ?? '' };
  }
  return {
    kind: 'keystone',
    url,
    user: {
      name: read.STRONGROOM_KEYSTONE_USER,
      domain: read.STRONGROOM_KEYSTONE_USER_DOMAIN,
      password: password ?? '',
      project: read.STRONGROOM_KEYSTONE_PROJECT,
      projectDomain: read.STRONGROOM_KEYSTONE_PROJECT_DOMAIN,
    },
    account: read.STRONGROOM_KEYSTONE_ACCOUNT,
    roles: read.STRONGROOM_KEYSTONE_ROLES,
    cacheMs: read.STRONGROOM_KEYSTONE_CACHE_SECONDS,
    timeoutMs: read.STRONGROOM_KEYSTONE_TIMEOUT_SECONDS,
  };
}

/** The environment without its empty variables, and with what `…_FILE` variables point to. */
function withFilesRead(env: NodeJS.ProcessEnv, problems: ConfigProblem[]): NodeJS.ProcessEnv {
  const given: NodeJS.ProcessEnv = Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim()));
  for (const variable of mayBeFiles) {
    const pointer = `${variable}_FILE`;
    const path = given[pointer];
    if (path === undefined) continue;
    if (given[variable] !== undefined) {
      problems.push({ variable: pointer, problem: `and ${variable} are both set; set one of them` });
      continue;
    }
    try {
      given[variable] = readFileSync(path, 'utf8').trim();
    } catch (error) {
      problems.push({ variable: pointer, problem: `can't be read: ${messageOf(error)}` });
    }
  }
  return given;
}

function stateOf(variable: string, value: string | undefined): string {
  if (value === undefined) return 'is not set';
  return untold.has(variable) ? 'is not of the right form' : `is ${JSON.stringify(value)}`;
}
