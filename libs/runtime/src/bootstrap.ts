/**
 * The process around an app. It starts with a complete configuration or not at all, and ends within a deadline when it is
 * asked to. It ends at once on an error that nobody handled, because nobody knows what it would do after that.
 */
import type { Readable } from 'node:stream';
import { type AppName, ConfigFault, type ConfigOf, loadConfig, withoutEffect } from './config.js';
import { endThisProcess } from './end-this-process.js';
import { createLogger, type Logger } from './log.js';
import { Metrics } from './metrics.js';
import { freeWhatStartNeeded } from './passed-memory.js';
import { freeThisProcess } from './process-environment.js';
import { problemsOfProcess } from './process-limits.js';
import { processName } from './process-name.js';
import { type RuntimeParts, runtimeParts } from './runtime-module.js';
import { openService, type Service, type ServiceOptions } from './service.js';
import { type Collector, tellSpans } from './tracing/collector.js';

export interface BootstrapOptions<A extends AppName> extends ServiceOptions<ConfigOf[A]> {
  app: A;
  /** Default: the configuration from the environment of the process. */
  config?: ConfigOf[A];
  /**
   * Prepares what must be there before the app is opened, such as an up-to-date schema.
   * @param stopping aborted when the process is told to end meanwhile
   */
  prepare?: (parts: RuntimeParts<ConfigOf[A]>, stopping: AbortSignal) => Promise<void>;
  /** How long closing may take before the process ends anyway, in milliseconds. Default 8 s, since Docker gives 10. */
  endWithinMs?: number;
}

/** The exit code of a process whose configuration is wrong (EX_CONFIG of sysexits). Another start does not help. */
export const exitConfigInvalid = 78;
const exitFault = 1;
const defaultEndWithinMs = 8_000;
const lingerMs = 1_000;

/** Runs an app as this process, and returns when it serves. After that the process ends by a signal or by a fault. */
export async function bootstrap<A extends AppName>(options: BootstrapOptions<A>): Promise<void> {
  const { app, prepare, endWithinMs = defaultEndWithinMs } = options;
  const told = [...freeThisProcess(), ...withoutEffect(process.env)];
  const config = options.config ?? configOrEnd(app, told);
  const log = createLogger({ app, level: config.logLevel });
  dieOfUnhandled(log);
  for (const sentence of told) log.warn(sentence);
  const parts = runtimeParts(config, log, { metrics: new Metrics({ ofProcess: true }) });

  const stopping = new AbortController();
  let opening: Promise<Service> | undefined;
  let collector: Collector | undefined;
  const end = async (why: string) => {
    // The end has a deadline, so to ask again changes nothing. A supervisor and its terminal often ask both.
    if (stopping.signal.aborted) return;
    log.info(`stopping: ${why}`);
    stopping.abort(new Error(`the process is stopping: ${why}`));
    const deadline = setTimeout(() => {
      log.error(`not stopped within ${endWithinMs} ms: ended at once; its leases will lapse`);
      endThisProcess(exitFault);
    }, endWithinMs);
    const service = await opening?.catch(() => undefined);
    await service?.close();
    await collector?.end();
    clearTimeout(deadline);
    log.info('stopped');
    // What had not begun to serve has nothing to end in order, and may still wait for a server that is away.
    if (!service) endThisProcess(0);
    endWhenQuiet(log);
  };
  onAsk(process.stdin, config.supervised, (why) => void end(why));

  try {
    if (config.traces) {
      collector = await tellSpans(config.traces, { log, metrics: parts.metrics, process: processName(app) });
    }
    await prepare?.(parts, stopping.signal);
    if (stopping.signal.aborted) return;
    freeWhatStartNeeded();
    opening = openService(parts, options, stopping.signal);
    await opening;
  } catch (error) {
    if (stopping.signal.aborted) return;
    log.fatal({ err: error }, `${app} can't start`);
    endThisProcess(error instanceof ConfigFault ? exitConfigInvalid : exitFault);
  }
}

/** @param told what has no effect: a name that is misspelt explains the setting that is not there */
function configOrEnd<A extends AppName>(app: A, told: readonly string[]): ConfigOf[A] {
  try {
    const problems = problemsOfProcess(process.env);
    if (problems.length > 0) throw new ConfigFault(app, problems);
    return loadConfig(app, process.env);
  } catch (error) {
    if (!(error instanceof ConfigFault)) throw error;
    const log = createLogger({ app, level: 'info' });
    for (const sentence of told) log.warn(sentence);
    log.fatal({ problems: error.problems }, error.message);
    process.exit(exitConfigInvalid);
  }
}

/** The log is written synchronously, so the line is written before the process ends. */
function dieOfUnhandled(log: Logger): void {
  const die = (kind: string) => (error: unknown) => {
    log.fatal({ err: error }, `${kind}: the process ends, to be started anew`);
    endThisProcess(exitFault);
  };
  process.on('uncaughtException', die('uncaught exception'));
  process.on('unhandledRejection', die('unhandled rejection'));
}

function onAsk(stdin: Readable, supervised: boolean, end: (why: string) => void): void {
  process.on('SIGTERM', () => end('SIGTERM'));
  process.on('SIGINT', () => end('SIGINT'));
  if (!supervised) return;
  // The process that started this one holds the other end and never writes. The end closes when that process is gone.
  const gone = () => end('standard input closed');
  stdin.on('end', gone).on('close', gone).on('error', gone).resume();
}

/** When everything is closed, nothing keeps the process and it ends. Anything that still keeps it is a leak, and is named. */
function endWhenQuiet(log: Logger): void {
  process.exitCode = 0;
  process.stdin.destroy();
  const lingering = setTimeout(() => {
    log.warn({ holding: process.getActiveResourcesInfo() }, 'ended though something was left open');
    endThisProcess(0);
  }, lingerMs);
  lingering.unref();
}
