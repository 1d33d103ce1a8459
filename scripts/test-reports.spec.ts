import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';

const root = join(__dirname, '..');

type Status = 'passed' | 'failed' | 'pending';

/** A file of a report of Jest, with its tests by title. Without any it could not be run. */
function file(name: string, tests: Record<string, Status>) {
  const statuses = Object.values(tests);
  const hasFailed = statuses.length === 0 || statuses.includes('failed');
  return {
    name: join(root, name),
    status: hasFailed ? 'failed' : 'passed',
    assertionResults: Object.entries(tests).map(([fullName, status]) => ({ fullName, status })),
  };
}

const answer = z.object({
  again: z.array(z.string()),
  counts: z.object({ passed: z.int(), failed: z.int(), skipped: z.int() }),
  failures: z.array(z.string()),
  onlyThen: z.array(z.string()),
});

/** What `npm test -- --second-try` tells after these two runs of Jest. */
function told(first: ReturnType<typeof file>[], second: ReturnType<typeof file>[] = []) {
  const program = `
    import { countsOf, failuresOf, passedOnlyThen, triedAgain, withSecondTry } from ${JSON.stringify(join(__dirname, 'test-reports.mjs'))};
    const [first, second] = ${JSON.stringify([{ testResults: first }, { testResults: second }])};
    const whole = withSecondTry(first, second);
    console.log(JSON.stringify({
      again: triedAgain(first), counts: countsOf(whole), failures: failuresOf(whole), onlyThen: passedOnlyThen(first, whole),
    }));`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  return answer.parse(JSON.parse(stdout));
}

describe('a spec file that failed', () => {
  const good = file('a.spec.ts', { one: 'passed', two: 'pending' });

  it('is tried again, and what passed only then is told', () => {
    const first = [good, file('b.spec.ts', { three: 'failed', four: 'passed' })];
    expect(told(first, [file('b.spec.ts', { three: 'passed', four: 'passed' })])).toEqual({
      again: [join(root, 'b.spec.ts')],
      counts: { passed: 3, failed: 0, skipped: 1 },
      failures: [],
      onlyThen: ['  b.spec.ts: three'],
    });
  });

  it('fails the run when it fails again, also in another test', () => {
    const first = [good, file('b.spec.ts', { three: 'failed', four: 'passed' })];
    expect(told(first, [file('b.spec.ts', { three: 'passed', four: 'failed' })])).toMatchObject({
      counts: { passed: 2, failed: 1, skipped: 1 },
      failures: ['  b.spec.ts: four'],
      onlyThen: ['  b.spec.ts: three'],
    });
  });

  it('counts as one test when it could not be run', () => {
    const broken = file('b.spec.ts', {});
    expect(told([good, broken], [broken])).toMatchObject({
      again: [join(root, 'b.spec.ts')],
      counts: { passed: 1, failed: 1, skipped: 1 },
      failures: ['  b.spec.ts: the file could not be run'],
      onlyThen: [],
    });
  });

  it('is not tried again when more than five failed', () => {
    const many = (count: number) =>
      Array.from({ length: count }, (_, n) => file(`${n}.spec.ts`, { [`test ${n}`]: 'failed' }));
    expect(told(many(5)).again).toHaveLength(5);
    expect(told(many(6)).again).toEqual([]);
  });
});
