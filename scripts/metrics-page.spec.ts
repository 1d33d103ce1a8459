import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { metricsOfSources, metricsOn } from './metrics-on-page.js';
import { metricsIn, metricsPage } from './metrics-page.js';

const root = join(__dirname, '..');
const metrics = metricsOfSources(root);

describe('the metrics', () => {
  const page = metricsOn(readFileSync(join(root, 'docs', 'operations.md'), 'utf8'));
  const names = metrics.map(({ name }) => name);

  it('of the code are all on the page of operations, and the page has no other', () => {
    expect(names.length).toBeGreaterThan(20);
    expect([...new Set(page)].sort()).toEqual([...new Set(names)].sort());
  });

  it('are on their own page as the code declares them', () => {
    expect(readFileSync(join(root, 'docs', 'metrics.md'), 'utf8')).toBe(metricsPage(metrics));
  });

  it('have a sentence each, and a counter is named as one', () => {
    expect(metrics.filter(({ help }) => !/^[A-Z].*\.$/s.test(help)).map(({ name }) => name)).toEqual([]);
    expect(metrics.filter(({ name, type }) => name.endsWith('_total') !== (type === 'counter'))).toEqual([]);
  });

  it('of a table are read with their short forms', () => {
    expect(metricsOn('| `strongroom_lag_events{topic}`, `…_seconds` | a |\n| `other` | `strongroom_b` |')).toEqual([
      'strongroom_lag_events',
      'strongroom_lag_seconds',
    ]);
  });

  it('of a source are read from the calls that declare them, and no other text is taken for one', () => {
    const source = `notify('strongroom_ledger', '');
      this.waits = parts.metrics.counter<Label>({ name: 'strongroom_waits_total', labels: ['limit'], help: 'How often.' });
      metrics.gauge({ name: 'strongroom_lag_seconds', help: \`How long.\`, measure: (gauge) => gauge.set({ limit }, 1) });`;
    expect(metricsIn('libs/a/src/b.ts', source)).toEqual([
      {
        name: 'strongroom_waits_total',
        type: 'counter',
        labels: ['limit'],
        help: 'How often.',
        path: 'libs/a/src/b.ts',
      },
      { name: 'strongroom_lag_seconds', type: 'gauge', labels: [], help: 'How long.', path: 'libs/a/src/b.ts' },
    ]);
  });

  it('have the labels of a list that the source has named', () => {
    const source = `const perSchedule = ['account', 'schedule'] as const;
      metrics.gauge({ name: 'strongroom_a', help: 'A.', labels: [...perSchedule, 'region'] });
      metrics.gauge({ name: 'strongroom_b', help: 'B.', labels: perSchedule });
      const labels = ['region'];
      metrics.gauge({ name: 'strongroom_c', help: \`Of the oldest \${most}.\`, labels });
      const most = 20_000;`;
    expect(metricsIn('libs/a/src/b.ts', source).map(({ labels, help }) => [labels, help])).toEqual([
      [['account', 'schedule', 'region'], 'A.'],
      [['account', 'schedule'], 'B.'],
      [['region'], 'Of the oldest 20000.'],
    ]);
  });

  it('are refused where their name is made elsewhere, so that none is left out of the page', () => {
    expect(() => metricsIn('libs/a/src/b.ts', 'metrics.gauge({ name, help: "How long." })')).toThrow('libs/a/src/b.ts');
  });
});
