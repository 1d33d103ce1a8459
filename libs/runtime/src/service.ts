/**
 * Opens and closes an app: Nest on Fastify, with ids for requests, health and metrics. It changes nothing of the process, so
 * a test can open several apps in one; `bootstrap` is the process around an app.
 */
import type { Server } from 'node:http';
import { isIPv6 } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { messageOf } from '@strongroom/contracts';
import { type FastifyBaseLogger, type FastifyHttpOptions, type FastifyInstance, LogController } from 'fastify';
import { ClientAddresses } from './client-address.js';
import type { AppConfig } from './config.js';
import { limitConnections } from './connection-limit.js';
import { HttpCertificate, strictTransport } from './http-certificate.js';
import { followRequests } from './http-requests.js';
import { NestLog } from './log.js';
import { limitPipelining } from './pipelining.js';
import { openPrivateServer, type PrivateServer } from './private-server.js';
import { type RuntimeParts, runtimeModule } from './runtime-module.js';
import { SilentConnections } from './silent-connections.js';
import { endSlowReaders } from './slow-readers.js';

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
  /** Where it serves its metrics and the details of its health. It is the same address when the app has no private port. */
  readonly privateUrl: string;
  /** Ends the work in hand and closes everything. Only what Nest's last hooks close comes after the HTTP server. */
  close(): Promise<void>;
}

@Module({})
class ServiceModule {}

const defaultBodyLimit = 1_048_576;
const slowestRequestMs = 30_000;
/** The headers alone come sooner, and a connection without a request is idle. */
const slowestHeadersMs = 15_000;
const idleConnectionMs = 30_000;
/** How often requests are looked for that take too long to arrive. Node looks each 30 s by default. */
const looksForSlowMs = 5_000;
const slowestAnswerMs = 60_000;
/** So many requests may wait for their answers on one connection. */
const mostSentAhead = 32;

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
  const certificate = config.http.tls && new HttpCertificate(config.http.tls, log);
  const own = server?.(parts);
  const http = { connectionsCheckingInterval: looksForSlowMs, ...own?.http };
  const adapter = new FastifyAdapter({
    bodyLimit,
    trustProxy: false,
    requestTimeout: slowestRequestMs,
    keepAliveTimeout: idleConnectionMs,
    genReqId: () => ids.next(),
    // Fastify logs only its faults, because we log ourselves that it listens and whom it has answered.
    loggerInstance: log.child({}, { level: log.isLevelEnabled('warn') ? 'warn' : log.level }),
    logController: new LogController({ disableRequestLogging: true }),
    // The lines of a request have its context already. A logger of its own for each request would cost more than its line.
    childLoggerFactory: (logger: FastifyBaseLogger) => logger,
    ...own,
    http,
    ...(certificate && { https: { ...http, ...certificate.options } }),
  });
  const root: DynamicModule = { module: ServiceModule, imports: [runtimeModule(parts), module(parts)] };
  const creating = NestFactory.create<NestFastifyApplication>(root, adapter, {
    logger: new NestLog(log),
    abortOnError: false,
  });
  const app = await creatingUntil(creating, stopping);
  const fastify = adapter.getInstance();
  const silent = new SilentConnections(fastify.server);
  fastify.server.headersTimeout = slowestHeadersMs;
  const addresses = new ClientAddresses(config.proxies);
  const { mostConnections: most, mostConnectionsOfAddress: mostOfAddress } = config;
  limitConnections(fastify.server, { most, mostOfAddress, addresses, log });
  limitPipelining(fastify.server, { most: mostSentAhead, log });
  let privateServer: PrivateServer | undefined;
  // The private port answers as long as the app ends its work.
  const close = async () => {
    await app.close();
    await privateServer?.close();
  };
  fastify.addHook('preClose', async () => silent.end());
  if (certificate) serveWith(certificate, fastify);
  try {
    followRequests(fastify, { log, metrics, addresses });
    endSlowReaders(fastify, { longestMs: slowestAnswerMs, log });
    await configure?.(app, parts);
    privateServer = config.privateHttp && (await openPrivateServer(config.privateHttp, parts));
    await listen(app, config.http);
    const url = await urlOf(app, certificate !== undefined);
    const privateUrl = privateServer?.url ?? url;
    // The launcher reads the port from this line, so it is written at every level of the log.
    log.child({}, { level: 'info' }).info({ url, privateUrl }, 'listening');
    await orAborted(app.startAllMicroservices(), stopping);
    return { app, url, privateUrl, close };
  } catch (error) {
    await close();
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

/** A client that was here by HTTPS is to come again by it alone. */
function serveWith(certificate: HttpCertificate, fastify: FastifyInstance): void {
  const { server } = fastify;
  if (server instanceof TlsServer) certificate.follow(server);
  fastify.addHook('onClose', async () => certificate.stop());
  fastify.addHook('onRequest', async (_, reply) => void reply.header('strict-transport-security', strictTransport));
}

/** Nest takes every server for one without TLS. */
async function urlOf(app: NestFastifyApplication, isSecured: boolean): Promise<string> {
  const url = await app.getUrl();
  return isSecured ? url.replace(/^http:/, 'https:') : url;
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
