import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { metricsOn } from './metrics-on-page.js';

const root = join(__dirname, '..');
const rules = readFileSync(join(root, 'deploy', 'prometheus', 'strongroom.rules.yml'), 'utf8');
const page = readFileSync(join(root, 'docs', 'operations.md'), 'utf8');
const known = new Set(metricsOn(page));
const alerts = rules.split(/^ {6}- (?=alert: )/m).slice(1);

/** As the pages' own links are made of headings. */
const anchors = [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
  heading
    .toLowerCase()
    .replace(/[^a-z0-9 -]/g, '')
    .replaceAll(' ', '-'),
);

/** What an alarm lacks. */
function lackingIn(alert: string): string[] {
  const [, name = ''] = /^alert: (\w+)$/m.exec(alert) ?? [];
  const [, section = ''] = /^ {10}runbook: docs\/operations\.md#(\S+)$/m.exec(alert) ?? [];
  const metrics = [...alert.matchAll(/strongroom_[a-z_]+/g)].map(([metric]) =>
    metric.replace(/_(count|bucket|sum)$/, ''),
  );
  return [
    ...(/^Strongroom[A-Z][A-Za-z]+$/.test(name) ? [] : ['a name']),
    ...(/^ {8}labels: \{ severity: (critical|warning) \}$/m.test(alert) ? [] : ['a severity']),
    ...(/^ {10}summary: '.+'$/m.test(alert) ? [] : ['a summary']),
    ...(/^ {10}description: '.+\.'$/m.test(alert) ? [] : ['the next step']),
    ...(anchors.includes(section) ? [] : ['a section of the page']),
    ...metrics.filter((metric) => !known.has(metric)).map((metric) => `a metric ${metric}`),
  ].map((what) => `${name} lacks ${what}`);
}

describe('the alarms', () => {
  it('each have a severity, a summary, the next step, a section of the page of operations, and metrics that are there', () => {
    expect(alerts.length).toBeGreaterThan(20);
    expect(alerts.flatMap(lackingIn)).toEqual([]);
  });

  it('are seen to lack something', () => {
    const [first = ''] = alerts;
    expect(lackingIn(first.replace('severity: critical', 'severity: loud'))).toHaveLength(1);
    expect(lackingIn(first.replace(/#\S+/, '#nowhere'))).toHaveLength(1);
    expect(lackingIn(first.replaceAll('last_success', 'last_luck'))).toHaveLength(1);
  });

  it('take the largest of what several processes tell of the database', () => {
    const gauges =
      /(?<!max(?: by \([a-z, ]+\))? \()(?<!max\()strongroom_(schedule_(last|active|expected)|copy_lag|copies_stranded)\w*/;
    expect(alerts.filter((alert) => gauges.test(alert))).toEqual([]);
  });
});
