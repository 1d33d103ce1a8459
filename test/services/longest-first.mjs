/**
 * The order in which Jest begins the files of tests: those of `long-specs.json` in the order of that list, and between them
 * most of the others, the largest first. A long file mostly waits and a short one mostly computes, so they run side by side. The
 * last of the others come at the end: no worker begins a long file when the others have nothing left. Jest's own order
 * knows how long a file takes only where the same clone has run it before.
 */
import { readFileSync } from 'node:fs';
import { relative, sep } from 'node:path';

const longest = JSON.parse(readFileSync(new URL('long-specs.json', import.meta.url), 'utf8'));
const rank = new Map(longest.map((path, at) => [path, at]));
/** The part of the others that is begun before the last of the long ones. */
const between = 0.7;

export default class LongestFirst {
  sort(tests) {
    const size = ({ path, context }) => context.hasteFS.getSize(path) ?? 0;
    const rankOf = ({ path, context }) =>
      rank.get(relative(context.config.rootDir, path).split(sep).join('/')) ?? longest.length;
    const sorted = [...tests].sort((a, b) => rankOf(a) - rankOf(b) || size(b) - size(a));
    const isLong = (test) => rankOf(test) < longest.length;
    const [long, others] = [sorted.filter(isLong), sorted.filter((test) => !isLong(test))];
    const upTo = (at) => Math.floor((at / long.length) * between * others.length);
    const mixed = long.flatMap((test, at) => [test, ...others.slice(upTo(at), upTo(at + 1))]);
    return [...mixed, ...others.slice(long.length > 0 ? upTo(long.length) : 0)];
  }

  /** `jest --onlyFailures`: no run is remembered, so every test counts. */
  allFailedTests(tests) {
    return this.sort(tests);
  }

  shard(tests, { shardIndex, shardCount }) {
    return this.sort(tests).filter((_, at) => at % shardCount === shardIndex - 1);
  }

  cacheResults() {}
}
