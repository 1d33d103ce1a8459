/** Has Prometheus's own program judge the alarms: each one comes when it should, and not before. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { queries } from './dashboards.js';
import { goTool } from './services/go-program.js';
import { lacks } from './services/outside-parts.js';

const run = promisify(execFile);
const folder = join(__dirname, '..', 'deploy', 'prometheus');
const textOf = (name: string) => readFileSync(join(folder, name), 'utf8');
// Without the clients of clouds, which it never asks here, it is built much sooner.
const promtool = goTool('test/promtool', 'github.com/prometheus/prometheus', 'cmd/promtool', ['remove_all_sd']);

describe('the alarms', () => {
  const path = promtool.path;
  if (path === undefined) {
    lacks('promtool', promtool.why);
    it.todo(`were NOT RUN: ${promtool.why}`);
    return;
  }
  const check = async (...args: string[]) =>
    (await run(path, args, { cwd: folder })).stdout.split('\n').map((line) => line.trim());

  it('are rules that Prometheus takes, with nothing to complain of', async () => {
    const said = await check('check', 'rules', '--lint=all', '--lint-fatal', 'strongroom.rules.yml');
    expect(said).toContainEqual(expect.stringMatching(/^SUCCESS: \d+ rules found$/));
  }, 120_000);

  it('come when they should, and not for what is well', async () => {
    expect(await check('test', 'rules', 'strongroom.rules.test.yml')).toContain('SUCCESS');
  }, 120_000);

  it('are each shown to come', () => {
    const names = [...textOf('strongroom.rules.yml').matchAll(/- alert: (\w+)/g)].map(([, name = '']) => name);
    const tests = textOf('strongroom.rules.test.yml');
    expect(names.length).toBeGreaterThan(20);
    const firing = (name: string) =>
      new RegExp(`alertname="${name}", alertstate="firing"\\}\\)'\\n +eval_time: \\w+\\n +exp_samples:\\n +- `).test(
        tests,
      );
    const quiet = (name: string) =>
      new RegExp(`alertname="${name}", alertstate="firing"\\}\\)'\\n +eval_time: \\w+\\n +exp_samples: \\[\\]`).test(
        tests,
      );
    expect(names.filter((name) => !firing(name))).toEqual([]);
    expect(names.filter((name) => !quiet(name))).toEqual([]);
  });

  it('have dashboards beside them whose queries Prometheus can read', async () => {
    const own = mkdtempSync(join(tmpdir(), 'strongroom-queries-'));
    try {
      const rules = queries().map(({ expr }, index) => ({ record: `query_${index}`, expr }));
      // JSON is YAML.
      writeFileSync(join(own, 'queries.yml'), JSON.stringify({ groups: [{ name: 'queries', rules }] }));
      expect(rules.length).toBeGreaterThan(20);
      const said = await check('check', 'rules', join(own, 'queries.yml'));
      expect(said).toContain(`SUCCESS: ${rules.length} rules found`);
    } finally {
      rmSync(own, { recursive: true, force: true });
    }
  }, 120_000);
});
