#!/usr/bin/env node
/** The command line. `exit-codes.ts` says what it ends with. */
import '@strongroom/runtime/free-this-process';
import { runStrongroom } from './program.js';

/** What a shell tells of a program that wrote to a pipe which nobody reads any more: 128 and the number of SIGPIPE. */
const nobodyReads = 141;
for (const output of [process.stdout, process.stderr])
  output.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(nobodyReads);
    throw error;
  });

await runStrongroom(process.argv.slice(2));
/** How long an operation of a file system may still take after the command has failed, in milliseconds. */
const lingerMs = 1_000;
// Node waits for its threads before it exits, and one that reads a vault that hangs never ends.
setTimeout(() => {
  if (process.getActiveResourcesInfo().some((name) => name.startsWith('FSReq'))) process.kill(process.pid, 'SIGKILL');
}, lingerMs).unref();
