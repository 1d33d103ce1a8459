/** Runs a program that is not ours, and tells how long it took, the processors' time of it, and the most memory that it had. */
import { spawn } from 'node:child_process';
import { childrenOf, peakMiB } from './stack.mjs';

const lookMs = 20;
const script =
  'TIMEFORMAT="%R %U %S"; durable="$1"; shift; time { "$@" >/dev/null; [ -z "$durable" ] || find "$durable" -type f -exec sync {} +; }';

/**
 * @param command the program and its arguments
 * @param durable a folder, the files of which are to be on the disk before the time ends, as ours are
 */
export async function measured(command, { env = {}, durable = '' } = {}) {
  const child = spawn('bash', ['-e', '-c', script, 'bash', durable, ...command], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let told = '';
  child.stderr.on('data', (text) => {
    told += text;
  });
  let peakMiB = 0;
  const look = setInterval(() => {
    peakMiB = Math.max(peakMiB, ...childrenOf(child.pid).map(peakOf));
  }, lookMs);
  const code = await new Promise((resolve) => child.once('close', resolve));
  clearInterval(look);
  const times = /([\d.]+) ([\d.]+) ([\d.]+)\s*$/.exec(told);
  if (code !== 0 || !times) throw new Error(`${command.join(' ')} ended with ${code}: ${told.slice(-500)}`);
  const [, seconds, user, system] = times.map(Number);
  return { seconds, cpuSeconds: user + system, peakMiB };
}

/** 0 when it is gone. */
function peakOf(pid) {
  try {
    return peakMiB(pid);
  } catch {
    return 0;
  }
}
