/** `npm start`: the whole stack on this machine, until Ctrl-C. */
import { mkdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { report, runDemo } from './demo.js';
import { LauncherLock } from './launcher-lock.js';
import { help, parseOptions, type StackOptions, UsageFault } from './options.js';
import { isFree } from './ports.js';
import { Stack } from './stack.js';
import { bold, dim, green, red, say } from './terminal.js';

const exitFault = 1;
const exitUsage = 2;

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (!options) {
    process.stdout.write(help);
    return;
  }
  const begun = performance.now();
  mkdirSync(options.data, { recursive: true });
  const lock = LauncherLock.take(resolve(options.data));
  try {
    await run(options, begun);
  } finally {
    lock.release();
  }
}

async function run(options: StackOptions, begun: number): Promise<void> {
  await checkPort(options.port);
  const stop = new AbortController();
  const asked = new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve(), { once: true }));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted) {
        say(red('  Ended at once.'));
        process.exit(exitFault);
      }
      stop.abort();
    });
  }
  say(bold('\n  Strongroom\n'));
  const stack = await Stack.start(options, stop.signal).catch((error: unknown) => {
    if (stop.signal.aborted) return undefined;
    throw error;
  });
  if (!stack) {
    say(`  ${green('✓')} Stopped.`);
    return;
  }
  try {
    if (options.demo && !stop.signal.aborted) {
      const backup = await runDemo(stack.file, stop.signal);
      if (backup) {
        report(backup, stack.file.current.homeRegion);
        howToGoOn(options, stack, backup.id);
      }
    } else howToGoOn(options, stack, 'BACKUP_ID');
    say(
      dim(
        `  Up after ${((performance.now() - begun) / 1_000).toFixed(1)} s. Ctrl-C stops everything; the next start carries on with the same data.\n`,
      ),
    );
    await asked;
  } catch (error) {
    if (!stop.signal.aborted) {
      say(`  ${red('✗')} ${error instanceof Error ? error.message : String(error)}`);
      process.exitCode = exitFault;
    }
  } finally {
    say(dim('  Stopping …'));
    await stack.stop();
    say(`  ${green('✓')} Stopped.`);
  }
}

function howToGoOn(options: StackOptions, stack: Stack, backupId: string): void {
  const { api, accountId } = stack.file.current;
  const file = relative('.', join(resolve(options.data), 'stack.json'));
  say();
  say(`  ${bold('Serving')} ${api}   ${dim(`logs: ${relative('.', join(resolve(options.data), 'log'))}/`)}`);
  say();
  say(`  TOKEN=$(node -p "JSON.parse(require('fs').readFileSync('${file}')).tokens.admin")`);
  say(`  curl -H "X-Auth-Token: $TOKEN" ${api}/v1.0/${accountId}/backups`);
  say(
    `  npx strongroom restore ${backupId} --from IAD --to ./restored${options.data === '.strongroom' ? '' : ` --vault IAD=${stack.file.current.vaults.IAD}`}`,
  );
  say();
}

async function checkPort(port: number): Promise<void> {
  if (await isFree(port)) return;
  throw new UsageFault(
    `port ${port} is taken by another program. Stop it, or choose another: npm start -- --port ${port + 1}`,
  );
}

try {
  await main();
} catch (error) {
  process.stderr.write(`npm start: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof UsageFault ? exitUsage : exitFault;
}
