/**
 * Tells what processes spent their time on, from the profiles that Node writes with `--cpu-prof`.
 *
 *     NODE_OPTIONS='--cpu-prof --cpu-prof-dir=/tmp/profiles' node bench/relay.mjs
 *     node bench/profile.mjs /tmp/profiles [LINES]
 *
 * A process writes its profile when it ends by itself. Shares are of the time in which it was not idle, in percent: first by the package or the
 * folder whose code ran, then by function (default: 25 lines of each). The time in which a function ran includes nothing that it called.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [folder, lines = '25'] = process.argv.slice(2);
if (folder === undefined) {
  process.stderr.write('Name the folder with the profiles: node bench/profile.mjs FOLDER [LINES]\n');
  process.exit(2);
}

/** Whose code it is: a package, `node:` with the module, a file of ours, or what V8 does by itself. */
function ownerOf({ url, functionName }) {
  const ofPackage = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1];
  if (ofPackage) return ofPackage;
  if (url === '') return functionName;
  return /\/dist\/(.+)$/.exec(url)?.[1] ?? url.replace(/^.*\/(bench\/)/, '$1');
}

/** @returns the microseconds of each key, the most first */
function sumOf(frames, keyOf) {
  const sums = new Map();
  for (const { frame, us } of frames) sums.set(keyOf(frame), (sums.get(keyOf(frame)) ?? 0) + us);
  return [...sums].sort(([, one], [, other]) => other - one);
}

function framesOf({ nodes, samples, timeDeltas }) {
  const spent = new Map();
  for (const [at, id] of samples.entries()) spent.set(id, (spent.get(id) ?? 0) + timeDeltas[at]);
  return nodes.flatMap(({ id, callFrame }) => (spent.has(id) ? [{ frame: callFrame, us: spent.get(id) }] : []));
}

const table = (sums, whole) =>
  sums.slice(0, Number(lines)).map(([key, us]) => `${((100 * us) / whole).toFixed(1).padStart(6)}  ${key}\n`);

for (const name of readdirSync(folder).filter((each) => each.endsWith('.cpuprofile'))) {
  const frames = framesOf(JSON.parse(readFileSync(join(folder, name), 'utf8')));
  const busy = frames.filter(({ frame }) => frame.functionName !== '(idle)');
  const whole = busy.reduce((sum, { us }) => sum + us, 0);
  const all = frames.reduce((sum, { us }) => sum + us, 0);
  process.stdout.write(`\n${name}: ${(whole / 1e6).toFixed(1)} s of ${(all / 1e6).toFixed(1)} s\n`);
  process.stdout.write(table(sumOf(busy, ownerOf), whole).join(''));
  process.stdout.write('\n');
  const function_ = (frame) => `${frame.functionName || '(anonymous)'}  ${ownerOf(frame)}:${frame.lineNumber + 1}`;
  process.stdout.write(table(sumOf(busy, function_), whole).join(''));
}
