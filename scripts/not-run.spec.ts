import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { lacks, outsideParts } from '../test/services/outside-parts.js';

const root = join(__dirname, '..');
let folder: string;
let notes: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-not-run-'));
  notes = join(folder, 'not-run.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What `npm test` writes at the end of a run with these notes. */
function list(): string[] {
  const ask = `import { notRun } from ${JSON.stringify(join(__dirname, 'not-run.mjs'))}; console.log(JSON.stringify(notRun(${JSON.stringify(notes)})))`;
  return JSON.parse(spawnSync(process.execPath, ['--input-type=module', '-e', ask], { encoding: 'utf8' }).stdout);
}

describe('what tests need from outside', () => {
  it('is listed once at the end when it is missing, with the reason and the specs', () => {
    const env = { STRONGROOM_NOT_RUN: notes };
    lacks('go', 'there is no Go here', env);
    lacks('go', 'there is no Go here', env);
    expect(list()).toEqual([
      'Not run:',
      '  what needs programs in Go (Go and its module proxy; REQUIRE_GO=1 makes its absence a failure):',
      '    because there is no Go here',
      '    in scripts/not-run.spec.ts',
    ]);
  });

  it('leaves no list when nothing is missing', () => {
    expect(list()).toEqual([]);
  });

  it.each(outsideParts)('fails the test that needs $what when $requiredBy is 1', ({ part, requiredBy }) => {
    const call = () => lacks(part, 'it is away.', { [requiredBy]: '1', STRONGROOM_NOT_RUN: notes });
    expect(call).toThrow(`it is away. ${requiredBy}=1 makes that a failure.`);
    expect(list()).toEqual([]);
  });

  it('is all required by continuous integration, and no test asks for anything that the list does not have', () => {
    const printed = spawnSync(process.execPath, [join(__dirname, 'not-run.mjs')], { encoding: 'utf8' }).stdout;
    const required = outsideParts.map(({ requiredBy }) => requiredBy);
    const always = outsideParts.filter(({ onlyWhereAsked }) => !onlyWhereAsked);
    expect(printed.trim().split('\n')).toEqual(always.map(({ requiredBy }) => requiredBy));
    const workflow = readFileSync(join(root, '.github', 'workflows', 'ci.yml'), 'utf8');
    for (const { onlyWhereAsked, requiredBy } of outsideParts)
      if (onlyWhereAsked) expect(workflow).toContain(requiredBy);
    expect(readFileSync(join(root, '.ci', 'run'), 'utf8')).toContain('node scripts/not-run.mjs');
    const files = ['apps', 'libs', 'test'].flatMap((each) =>
      readdirSync(join(root, each), { recursive: true, encoding: 'utf8' }).map((name) => join(root, each, name)),
    );
    const asked = files
      .filter((file) => /\.(ts|mjs)$/.test(file))
      .flatMap((file) => readFileSync(file, 'utf8').match(/\bREQUIRE_[A-Z_]+/g) ?? []);
    expect(asked.filter((name) => !required.includes(name))).toEqual([]);
  });

  it('does not turn the specs of the Kafka feed red where there is no Kafka', () => {
    const jest = [join(root, 'node_modules', 'jest', 'bin', 'jest.js'), '--selectProjects', 'integration'];
    const folder = join(root, 'libs', 'feed', 'src', 'kafka');
    const specs = readdirSync(folder).filter(
      (name) =>
        name.endsWith('.int.spec.ts') && readFileSync(join(folder, name), 'utf8').includes('\ndescribeWithKafka('),
    );
    expect(specs.length).toBeGreaterThan(5);
    const { status, stderr } = spawnSync(
      process.execPath,
      [...jest, '--maxWorkers=1', '--testPathPatterns', ...specs.map((name) => `libs/feed/src/kafka/${name}`)],
      {
        cwd: root,
        encoding: 'utf8',
        env: {
          PATH: process.env.PATH,
          STRONGROOM_NOT_RUN: notes,
          // So the set-up of the run starts nothing.
          STRONGROOM_TEST_POSTGRES_URL: 'postgres://127.0.0.1:1/none',
          STRONGROOM_TEST_KAFKA_REASON: 'Maven could not fetch Kafka',
        },
      },
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringContaining('todo') });
    expect(list().slice(1)).toEqual([
      expect.stringContaining('what needs a Kafka (Java 17 or newer, Maven and its registry; REQUIRE_KAFKA=1'),
      '    because Maven could not fetch Kafka',
      ...specs.map((name) => `    in libs/feed/src/kafka/${name}`).sort(),
    ]);
  }, 120_000);
});
