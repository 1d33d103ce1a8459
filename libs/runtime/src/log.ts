/**
 * The log: lines of JSON, each with the app, the process and the request that it belongs to. A field whose name is that of a
 * password, token or key is blacked out.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { LoggerService } from '@nestjs/common';
import { type DestinationStream, type Logger as PinoLogger, pino, stdTimeFunctions } from 'pino';
import type { LogLevel } from './config.js';
import { linesToStandardOutput } from './log-lines.js';
import { logFieldsOfSpan } from './tracing/spans.js';

export type Logger = PinoLogger;

/** The fields that are in every line written meanwhile. */
export type LogContext = { requestId: string; correlationId: string } & { readonly [detail: string]: string | null };

const contexts = new AsyncLocalStorage<LogContext>();

/** Runs `work` and everything that it starts, with `context` in each of their log lines. */
export function runInContext<T>(context: LogContext, work: () => T): T {
  return contexts.run(context, work);
}

export function currentContext(): LogContext | undefined {
  return contexts.getStore();
}

const secretNames = [
  'password',
  'adminPass',
  'token',
  'secret',
  'secretKey',
  'databaseUrl',
  'authorization',
  'cookie',
  '["x-auth-token"]',
];
const secretPaths = secretNames.flatMap((name) => {
  const under = name.startsWith('[') ? name : `.${name}`;
  return [name, `*${under}`, `*.*${under}`];
});

export interface LogOptions {
  /** The name of the app, which is in each line. */
  app: string;
  level: LogLevel;
  /** Where lines are written. Default: standard output. */
  to?: DestinationStream;
}

export function createLogger({ app, level, to }: LogOptions): Logger {
  return pino(
    {
      level,
      base: { app, pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      mixin: () => ({ ...contexts.getStore(), ...logFieldsOfSpan() }),
      redact: { paths: secretPaths, censor: '[secret]' },
    },
    to ?? linesToStandardOutput(),
  );
}

/** Writes Nest's own messages into the log of the app. What Nest tells of its start is for developers only. */
export class NestLog implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, ...details: unknown[]): void {
    this.logger.debug(bindings(message, details), sentence(message));
  }

  debug(message: unknown, ...details: unknown[]): void {
    this.logger.debug(bindings(message, details), sentence(message));
  }

  verbose(message: unknown, ...details: unknown[]): void {
    this.logger.trace(bindings(message, details), sentence(message));
  }

  warn(message: unknown, ...details: unknown[]): void {
    this.logger.warn(bindings(message, details), sentence(message));
  }

  error(message: unknown, ...details: unknown[]): void {
    this.logger.error(bindings(message, details), sentence(message));
  }

  fatal(message: unknown, ...details: unknown[]): void {
    this.logger.fatal(bindings(message, details), sentence(message));
  }
}

function sentence(message: unknown): string {
  if (message instanceof Error) return message.message;
  return typeof message === 'string' ? message : JSON.stringify(message);
}

/** Nest gives the name of the speaker as the last detail, and the stack of an error before it. */
function bindings(message: unknown, details: unknown[]): { nest?: unknown; err?: unknown; details?: unknown[] } {
  const nest = details.at(-1);
  const rest = details.slice(0, -1).filter((detail) => detail !== undefined);
  const error = message instanceof Error ? message : rest.find((detail) => detail instanceof Error);
  const others = rest.filter((detail) => detail !== error);
  return {
    ...(nest !== undefined && { nest }),
    ...(error !== undefined && { err: error }),
    ...(others.length > 0 && { details: others }),
  };
}
