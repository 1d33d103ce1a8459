/**
 * The process around an app: it starts with a whole configuration or not at all, ends when asked to within a deadline,
 * and dies at once of an error that nobody handled, for what it would do after that is anyone's guess.
 */
import type { Readable } from 'node:stream';
import { type AppName, ConfigFault, type ConfigOf, loadConfig } from './config.js';
import { createLogger, type Logger } from './log.js';
import { Metrics } from './metrics.js';
import { type RuntimeParts, runtimeParts } from './runtime-module.js';
import { openService, type Service, type ServiceOptions } from './service.js';

export interface BootstrapOptions<A extends AppName> extends ServiceOptions<ConfigOf[A]> {
  app: A;
  /** Default: read from the process's environment. */
  config?: ConfigOf[A];
  /**
   * What must be there before the app is opened, such as an up-to-date schema.
   * @param stopping aborted when the process is asked to end meanwhile
   */
  prepare?: (parts: RuntimeParts<ConfigOf[A]>, stopping: AbortSignal) => Promise<void>;
  /** How long the end may take before the process ends all the same. Default 8 s: less than Docker's 10. */
  endWithinMs?: number;
}

/** The exit code of a process whose configuration is wrong (sysexits' EX_CONFIG): starting it again is of no use. */
export const exitConfigInvalid = 78;
const exitFault = 1;
const defaultEndWithinMs = 8_000;
const lingerMs = 1_000;

/** Runs an app as this process. Returns when it serves; from then on the process ends by a signal or a fault. */
export async function bootstrap<A extends AppName>(options: BootstrapOptions<A>): Promise<void> {
  const { app, prepare, endWithinMs = defaultEndWithinMs } = options;
  const config = options.config ?? configOrEnd(app);
  const log = createLogger({ app, level: config.logLevel });
  dieOfUnhandled(log);
  const parts = runtimeParts(config, log, { metrics: new Metrics({ ofProcess: true }) });

  const stopping = new AbortController();
  let opening: Promise<Service> | undefined;
  const end = async (why: string) => {
    if (stopping.signal.aborted) {
      log.warn(`${why} while stopping: ended at once`);
      process.exit(exitFault);
    }
    log.info(`stopping: ${why}`);
    stopping.abort(new Error(`the process is stopping: ${why}`));
    const deadline = setTimeout(() => {
      log.error(`not stopped within ${endWithinMs} ms: ended at once; leases lapse by themselves`);
      process.exit(exitFault);
    }, endWithinMs);
    const service = await opening?.catch(() => undefined);
    await service?.close();
    clearTimeout(deadline);
    log.info('stopped');
    endWhenQuiet(log);
  };
  onAsk(process.stdin, config.supervised, (why) => void end(why));

  try {
    await prepare?.(parts, stopping.signal);
    if (stopping.signal.aborted) return;
    opening = openService(parts, options, stopping.signal);
    await opening;
  } catch (error) {
    if (stopping.signal.aborted) return;
    log.fatal({ err: error }, `${app} can't start`);
    process.exit(exitFault);
  }
}

function configOrEnd<A extends AppName>(app: A): ConfigOf[A] {
  try {
    return loadConfig(app, process.env);
  } catch (error) {
    if (!(error instanceof ConfigFault)) throw error;
    createLogger({ app, level: 'info' }).fatal({ problems: error.problems }, error.message);
    process.exit(exitConfigInvalid);
  }
}

/** The log is written synchronously, so the line is out before the process is gone. */
function dieOfUnhandled(log: Logger): void {
  const die = (kind: string) => (error: unknown) => {
    log.fatal({ err: error }, `${kind}: the process ends, to be started anew`);
    process.exit(exitFault);
  };
  process.on('uncaughtException', die('uncaught exception'));
  process.on('unhandledRejection', die('unhandled rejection'));
}

function onAsk(stdin: Readable, supervised: boolean, end: (why: string) => void): void {
  process.on('SIGTERM', () => end('SIGTERM'));
  process.on('SIGINT', () => end('SIGINT'));
  if (!supervised) return;
  // Whoever started the process holds the other end and never writes: it closes when they are gone, however they went.
  let told = false;
  const gone = () => {
    if (told) return;
    told = true;
    end('standard input closed');
  };
  stdin.on('end', gone).on('close', gone).on('error', gone).resume();
}

/** With everything closed the process ends by itself; what still holds it is named, for it is a leak. */
function endWhenQuiet(log: Logger): void {
  process.exitCode = 0;
  process.stdin.destroy();
  const lingering = setTimeout(() => {
    log.warn({ holding: process.getActiveResourcesInfo() }, 'ended though something was left open');
    process.exit(0);
  }, lingerMs);
  lingering.unref();
}
