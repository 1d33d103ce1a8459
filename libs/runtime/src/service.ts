/**
 * Opens and closes an app: Nest on Fastify, with ids for requests, health and metrics. It changes nothing of the process, so
 * a test can open several apps in one; `bootstrap` is the process around an app.
 */
import type { Server } from 'node:http';
import { isIPv6 } from 'node:net';
import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { messageOf } from '@strongroom/contracts';
import { type FastifyHttpOptions, LogController } from 'fastify';
import type { AppConfig } from './config.js';
import { followRequests } from './http-requests.js';
import { NestLog } from './log.js';
import { type RuntimeParts, runtimeModule } from './runtime-module.js';
import { SilentConnections } from './silent-connections.js';

export interface ServiceOptions<C extends AppConfig = AppConfig> {
  /** Makes the app's own module. The parts can also be injected. */
  module: (parts: RuntimeParts<C>) => Type | DynamicModule;
  /** Connects the feed, filters and pipes before anything begins. */
  configure?: (app: NestFastifyApplication, parts: RuntimeParts<C>) => void | Promise<void>;
  /** The most bytes that a request's body may have. Default 1 MiB. */
  bodyLimit?: number;
  /** How the server routes, and how it answers requests without a route. By default Fastify answers in its own form. */
  server?: (
    parts: RuntimeParts<C>,
  ) => Pick<
    FastifyHttpOptions<Server>,
    'frameworkErrors' | 'clientErrorHandler' | 'return503OnClosing' | 'routerOptions' | 'http'
  >;
}

export interface Service {
  readonly app: NestFastifyApplication;
  /** The address of the app, such as `http://127.0.0.1:8779`. */
  readonly url: string;
  /** Ends the work in hand and closes everything. Only what Nest's last hooks close comes after the HTTP server. */
  close(): Promise<void>;
}

@Module({})
class ServiceModule {}

const defaultBodyLimit = 1_048_576;
const slowestRequestMs = 30_000;

/**
 * Opens the app. It answers HTTP first, so that it can tell its health, and then it begins with the feed.
 * @param stopping ends the opening when it is aborted: what is open is closed, and the signal's reason is thrown
 */
export async function openService<C extends AppConfig>(
  parts: RuntimeParts<C>,
  { module, configure, bodyLimit = defaultBodyLimit, server }: ServiceOptions<C>,
  stopping?: AbortSignal,
): Promise<Service> {
  const { config, log, ids, metrics } = parts;
  const adapter = new FastifyAdapter({
    bodyLimit,
    trustProxy: false,
    requestTimeout: slowestRequestMs,
    genReqId: () => ids.next(),
    // Fastify logs only its faults, because we log ourselves that it listens and whom it has answered.
    loggerInstance: log.child({}, { level: log.isLevelEnabled('warn') ? 'warn' : log.level }),
    logController: new LogController({ disableRequestLogging: true }),
    ...server?.(parts),
  });
  const root: DynamicModule = { module: ServiceModule, imports: [runtimeModule(parts), module(parts)] };
  const creating = NestFactory.create<NestFastifyApplication>(root, adapter, {
    logger: new NestLog(log),
    abortOnError: false,
  });
  const app = await creatingUntil(creating, stopping);
  const fastify = adapter.getInstance();
  const silent = new SilentConnections(fastify.server);
  fastify.addHook('preClose', async () => silent.end());
  try {
    followRequests(fastify, log, metrics);
    await configure?.(app, parts);
    await listen(app, config.http);
    const url = await app.getUrl();
    // The launcher reads the port from this line, so it is written at every level of the log.
    log.child({}, { level: 'info' }).info({ url }, 'listening');
    await orAborted(app.startAllMicroservices(), stopping);
    return { app, url, close: () => app.close() };
  } catch (error) {
    await app.close();
    throw error;
  }
}

/** An app waits for its database while it is made. When it is called off meanwhile, it is closed as soon as it is there. */
async function creatingUntil(
  creating: Promise<NestFastifyApplication>,
  stopping: AbortSignal | undefined,
): Promise<NestFastifyApplication> {
  try {
    return await orAborted(creating, stopping);
  } catch (error) {
    void creating.then((late) => late.close()).catch(() => {});
    throw error;
  }
}

async function listen(app: NestFastifyApplication, { host, port }: AppConfig['http']): Promise<void> {
  try {
    await app.listen(port, host);
  } catch (cause) {
    // Nest begins the app with the same call: what keeps the app from beginning says so itself.
    if (!isOfListening(cause)) throw cause;
    const at = isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
    throw new Error(
      `it can't listen on ${at}: ${messageOf(cause)}. STRONGROOM_HTTP_HOST must be an address of this machine, and STRONGROOM_HTTP_PORT a port that nobody else has; 0.0.0.0 is every IPv4 address.`,
      { cause },
    );
  }
}

/** Whether the address can't be had, or its name not be looked up. */
function isOfListening(error: unknown): boolean {
  return (
    error instanceof Error && 'syscall' in error && ['listen', 'bind', 'getaddrinfo'].includes(String(error.syscall))
  );
}

function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
