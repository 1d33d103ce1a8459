/**
 * Rounds in which ours and its peers take turns, and the rows of a report that compare them round by round. What is measured has a name; each
 * round adds figures under it: `seconds`, `cpuSeconds`, `peakMiB`, and `gigabytes` where they are not those of the run.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { serviceMemory } from '../dist/libs/runtime/src/index.js';
import { quiet } from './quiet.mjs';
import { ratio } from './report.mjs';
import { root } from './stack.mjs';

const quietWithinMs = 3_000;
export const mostMiB = 256;
export const say = (text) => process.stdout.write(`${text}\n`);

/** What the command line asks for: `--gigabytes` and `--rounds`. */
export function askedRounds({ gigabytes = 1, rounds = 5 } = {}) {
  const { values } = parseArgs({
    options: {
      gigabytes: { type: 'string', default: String(gigabytes) },
      rounds: { type: 'string', default: String(rounds) },
    },
  });
  return { gigabytes: Number(values.gigabytes), rounds: Number(values.rounds) };
}

/** Runs one of our scripts in a process of its own, with the memory of a service. @returns what it tells */
export async function told(script, job) {
  const child = spawn(process.execPath, [join(root, 'bench', script), JSON.stringify(job)], {
    env: { ...process.env, ...serviceMemory() },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (more) => {
    text += more;
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`${script} ended with ${code}`);
  return JSON.parse(text);
}

export class Rounds {
  /** The figures by name, round by round. */
  found = {};
  isQuiet = true;

  constructor({ gigabytes, rounds }) {
    this.gigabytes = gigabytes;
    this.rounds = rounds;
  }

  /** @param groups of turns. In each round another turn of a group is the first */
  async run(groups) {
    for (let round = 0; round < this.rounds; round += 1) {
      say(`Round ${round + 1}`);
      for (const turns of groups) {
        for (let at = 0; at < turns.length; at += 1) {
          this.isQuiet = (await quiet({ withinMs: quietWithinMs })) && this.isQuiet;
          await turns[(at + round) % turns.length]();
        }
      }
    }
  }

  note(name, figures) {
    this.found[name] ??= [];
    this.found[name].push({ gigabytes: this.gigabytes, ...figures });
    say(`${name}: ${figures.seconds.toFixed(2)} s, CPU ${figures.cpuSeconds.toFixed(2)} s, ${figures.peakMiB} MiB`);
  }

  each(name, of) {
    return this.found[name].map(of);
  }

  /** MB/s, the processors' time and the memory, in words. */
  told(name) {
    const rate = ratio(this.each(name, ({ gigabytes, seconds }) => (gigabytes * 1_000) / seconds)).median;
    const cpu = ratio(this.each(name, ({ gigabytes, cpuSeconds }) => cpuSeconds / gigabytes)).median;
    return `${Math.round(rate)} MB/s, ${cpu.toFixed(2)} s CPU/GB, ${this.peakMiB([name])} MiB`;
  }

  peakMiB(names) {
    return Math.max(...names.flatMap((name) => this.each(name, ({ peakMiB }) => peakMiB)));
  }

  /** How many times as fast as its peer. @param least the aim; undefined where there is none */
  speed(what, name, peer, least) {
    const theirs = this.found[peer];
    const of = ratio(this.each(name, ({ seconds }, round) => theirs[round].seconds / seconds));
    const aim = least === undefined ? {} : { aim: `≥ ${least} ×`, isReached: of.median >= least };
    return { what, ours: this.told(name), beside: this.told(peer), ratio: of, ...aim };
  }

  /** How many times the processors' time of its peer. @param most the aim; undefined where there is none */
  cost(what, name, peer, most) {
    return this.least(what, name, peer, 'cpuSeconds', most);
  }

  /** How many times as long as another of ours. @param most the aim; undefined where there is none */
  time(what, name, peer, most) {
    return { ...this.least(what, name, peer, 'seconds', most), ours: this.told(name), beside: this.told(peer) };
  }

  least(what, name, peer, figure, most) {
    const theirs = this.found[peer];
    const of = ratio(this.each(name, (figures, round) => figures[figure] / theirs[round][figure]));
    const aim = most === undefined ? {} : { aim: `≤ ${most} ×`, isReached: of.median <= most };
    return { what, ours: '', beside: '', ratio: of, ...aim };
  }

  /** @param names of what is ours */
  memory(what, names) {
    const peak = this.peakMiB(names);
    return { what, aim: `≤ ${mostMiB} MiB`, ours: `${peak} MiB`, isReached: peak <= mostMiB };
  }
}
