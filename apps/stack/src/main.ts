/** `npm start`: runs the whole stack on this machine until Ctrl-C. */
import '@strongroom/runtime/free-this-process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { type BackupResource, getBackups, messageOf, pathOf } from '@strongroom/contracts';
import { freeThisProcess } from '@strongroom/runtime';
import { adviceOn } from './advice.js';
import { report, runDemo } from './demo.js';
import { FolderTaken, LauncherLock } from './launcher-lock.js';
import { parseOptions, type StackOptions, UsageFault } from './options.js';
import { Stack } from './stack.js';
import { Terminal } from './terminal.js';
import { type Trial, tryRestore } from './trial.js';

const exitFault = 1;
const exitUsage = 2;
/** npm ends its shell by the signal that it gets, and the shell hands it on to nobody. */
const lookForNpmMs = 500;
/** Under npm a Ctrl-C comes twice: from the terminal, and from npm, which passes it on. */
const sameAskMs = 1_000;

const projectFolder = join(import.meta.dirname, '..', '..', '..', '..');
const terminal = Terminal.ofProcess();
const { bold, dim, green, red, yellow } = terminal;
let stack: Stack | undefined;

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (!options) {
    process.stdout.write(readFileSync(join(projectFolder, 'apps', 'stack', 'help.txt'), 'utf8'));
    return;
  }
  for (const sentence of freeThisProcess()) terminal.say(dim(`  ${sentence}`));
  mkdirSync(options.data, { recursive: true });
  const lock = LauncherLock.take(resolve(options.data), options.port);
  try {
    await run(options, askedToStop());
  } finally {
    lock.release();
  }
}

async function run(options: StackOptions, stop: AbortSignal): Promise<void> {
  const begun = performance.now();
  terminal.say('', `  ${bold('Strongroom')}`, '');
  try {
    stack = await Stack.start(options, { projectFolder, terminal, signal: stop });
    if (options.demo) await demonstrate(stack, options, stop);
    else howToGoOn(stack, options, 'BACKUP_ID');
    if (!stop.aborted) {
      const seconds = ((performance.now() - begun) / 1_000).toFixed(1);
      terminal.say(
        dim(`  Up in ${seconds} s. Ctrl-C stops everything. The next start goes on with the same data.`),
        '',
      );
      await new Promise((resolve) => stop.addEventListener('abort', resolve, { once: true }));
    }
  } catch (error) {
    if (!stop.aborted) throw error;
  } finally {
    if (stop.aborted) terminal.say('', dim('  Stopping …'));
    const asked = performance.now();
    await stack?.stop();
    if (stop.aborted) terminal.say(`  ${green('✓')} Stopped in ${((performance.now() - asked) / 1_000).toFixed(1)} s.`);
  }
}

/** When the demo fails, the reason is printed, and the stack stays up so that one can look for the cause. */
async function demonstrate(running: Stack, options: StackOptions, stop: AbortSignal): Promise<void> {
  try {
    const isFirst = running.file.current.instanceId === null;
    const backup = await runDemo(running.file, terminal, stop);
    if (!backup) return;
    report(backup, running.file.current.homeRegion, terminal);
    if (isFirst) await tellTrials(running, backup, stop);
    howToGoOn(running, options, backup.id);
  } catch (error) {
    if (stop.aborted) return;
    terminal.settle();
    terminal.say('', `  ${red('✗')} The demo failed: ${messageOf(error)}`);
    howToGoOn(running, options, 'BACKUP_ID');
  }
}

/**
 * Restores the backup from each region that has it, one after the other: each needs a server for itself. Later starts show the same demo, and
 * what was restored once is not tried at each of them.
 */
async function tellTrials(running: Stack, { id, whole_in }: BackupResource, stop: AbortSignal): Promise<void> {
  terminal.say('');
  let isShown = false;
  for (const region of whole_in) {
    const vault = running.file.current.vaults[region];
    if (vault === undefined) continue;
    const isTold = await tellTrial(running, { backupId: id, region, vault }, stop);
    if (stop.aborted) return;
    isShown ||= isTold;
  }
  if (isShown)
    terminal.say(dim('    By strongroom verify --restore --tell: the console shows that a restore was tested.'));
}

/** @returns whether the service was told of it */
async function tellTrial(
  { file, keys }: Stack,
  place: Pick<Trial, 'backupId' | 'region' | 'vault'>,
  stop: AbortSignal,
): Promise<boolean> {
  const { region } = place;
  terminal.draw([dim(`  The backup is restored from ${region} for a trial …`)]);
  const { api: url, accountId: account, tokens } = file.current;
  const service = { url, account, token: tokens.admin };
  const outcome = await tryRestore(projectFolder, { ...place, identity: keys.backupKeyFile, service }, stop);
  if (stop.aborted) return false;
  terminal.draw([]);
  if ('notTested' in outcome) {
    terminal.say(`  ${yellow('!')} The restore from ${region} could not be tried: ${outcome.notTested}`);
    return false;
  }
  const { tables, rows, seconds, notTold } = outcome;
  const read = `a server started on it, and all ${tables} tables with ${rows.toLocaleString('en')} rows were read`;
  terminal.say(
    `  ${green('✓')} Restored from ${region} for a trial in ${seconds} s: ${read}. Nothing of it is left.`,
    ...(notTold === undefined ? [] : [`  ${yellow('!')} The console does not show it: ${notTold}`]),
  );
  return notTold === undefined;
}

function howToGoOn({ file, logs, keys }: Stack, { data }: StackOptions, backupId: string): void {
  const { api, accountId, vaults } = file.current;
  const stackFile = relative('.', resolve(data, 'stack.json'));
  const keyFile = relative('.', keys.backupKeyFile);
  const isDefault = stackFile === '.strongroom/stack.json';
  const restore = `npx strongroom restore ${backupId} --from IAD --to ./restored`;
  terminal.say(
    '',
    `  ${bold('Serving')}   ${api}   ${dim('reference: /docs')}`,
    `  ${bold('Logs')}      ${relative('.', logs.path)}/`,
    `  ${bold('Call it')}   TOKEN=$(node -p "JSON.parse(require('fs').readFileSync('${stackFile}')).tokens.admin")`,
    `            curl -H "X-Auth-Token: $TOKEN" ${api}${pathOf(getBackups, { accountId })}`,
    `  ${bold('Restore')}   ${restore}${isDefault ? '' : ` --vault '${`IAD=${vaults.IAD}`.replaceAll("'", "'\\''")}' --identity ${keyFile}`}`,
    `  ${bold('Key')}       ${keyFile} opens the backups${keys.isNew ? ', and was made by this start' : ''}. Keep a copy of it elsewhere: without it nobody can restore them.`,
    `  ${bold('Console')}   ${api}/console   ${dim(`account ${accountId}, and the token of Call it`)}`,
    '',
  );
}

/** The first signal aborts it. A second one ends everything at once. */
function askedToStop(): AbortSignal {
  const stop = new AbortController();
  let askedAt = 0;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (!stop.signal.aborted) {
        askedAt = performance.now();
        stop.abort(new Error(`stopped by ${signal}`));
      } else if (performance.now() - askedAt > sameAskMs) {
        terminal.say(red('  Ended at once.'));
        stack?.kill();
        process.exit(exitFault);
      }
    });
  }
  if (process.env.npm_lifecycle_event !== undefined) stopWithParent(stop);
  // A write to a closed terminal must not end this process, or it would leave the servers behind.
  process.stdout.on('error', () => {});
  return stop.signal;
}

function stopWithParent(stop: AbortController): void {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) stop.abort(new Error('npm was ended'));
  }, lookForNpmMs).unref();
}

try {
  await main();
} catch (error) {
  process.stderr.write(`\nnpm start: ${messageOf(error)}${adviceOn(error)}\n`);
  process.exitCode = error instanceof UsageFault || error instanceof FolderTaken ? exitUsage : exitFault;
}
