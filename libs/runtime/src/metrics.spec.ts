import { describe, expect, it } from '@jest/globals';
import { Metrics } from './metrics.js';

describe('metrics', () => {
  it('of two apps in one process never meet', async () => {
    const options = { name: 'strongroom_backups_total', help: 'Backups.' } as const;
    const one = new Metrics();
    const other = new Metrics();
    one.counter(options).inc();
    other.counter(options).inc(5);
    expect(await one.text()).toContain('strongroom_backups_total 1');
    expect(await other.text()).toContain('strongroom_backups_total 5');
  });

  it('tell the memory of the process', async () => {
    expect(await new Metrics({ ofProcess: true }).text()).toMatch(/process_resident_memory_bytes \d+/);
  });

  it('are measured when they are asked for', async () => {
    const metrics = new Metrics();
    let lag = 3;
    metrics.gauge({
      name: 'strongroom_copy_lag_seconds',
      help: 'Lag.',
      labels: ['region'],
      measure: (gauge) => gauge.set({ region: 'IAD' }, lag),
    });
    expect(await metrics.text()).toContain('strongroom_copy_lag_seconds{region="IAD"} 3');
    lag = 4;
    expect(await metrics.text()).toContain('strongroom_copy_lag_seconds{region="IAD"} 4');
  });

  it('that can not be measured are left out and counted; the others are told', async () => {
    const metrics = new Metrics();
    let broken = false;
    metrics.gauge({
      name: 'strongroom_relay_lag_events',
      help: 'Lag.',
      measure: async (gauge) => {
        if (broken) throw new Error('the database is away');
        gauge.set(7);
      },
    });
    metrics.counter({ name: 'strongroom_copies_total', help: 'Copies.' }).inc();
    expect(await metrics.text()).toContain('strongroom_relay_lag_events 7');
    broken = true;
    const text = await metrics.text();
    expect(text).not.toMatch(/^strongroom_relay_lag_events \d/m);
    expect(text).toContain('strongroom_copies_total 1');
    expect(await metrics.text()).toMatch(/^strongroom_metric_faults_total\{metric="strongroom_relay_lag_events"\} \d/m);
  });
});
