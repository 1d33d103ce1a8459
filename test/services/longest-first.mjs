/**
 * The order in which Jest begins the files of tests: those of `long-specs.json` first, in the order of that list, and then
 * the others, the largest first. So no worker begins a long file when the others have nothing left. Jest's own order knows
 * how long a file takes only where the same clone has run it before.
 */
import { readFileSync } from 'node:fs';
import { relative, sep } from 'node:path';

const longest = JSON.parse(readFileSync(new URL('long-specs.json', import.meta.url), 'utf8'));
const rank = new Map(longest.map((path, at) => [path, at]));

export default class LongestFirst {
  sort(tests) {
    const size = ({ path, context }) => context.hasteFS.getSize(path) ?? 0;
    const rankOf = ({ path, context }) =>
      rank.get(relative(context.config.rootDir, path).split(sep).join('/')) ?? longest.length;
    return [...tests].sort((a, b) => rankOf(a) - rankOf(b) || size(b) - size(a));
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
