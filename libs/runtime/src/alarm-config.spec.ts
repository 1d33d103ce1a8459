import { describe, expect, it } from '@jest/globals';
import { environment, problemsOf } from '../fixtures/configuration.js';
import { loadConfig } from './config.js';

const at = (value: string, env: NodeJS.ProcessEnv = {}) => ({
  ...environment,
  STRONGROOM_HEARTBEAT_URL: value,
  ...env,
});

describe('the configuration of alarms', () => {
  it('has metrics for a thousand schedules and tells nobody outside, unless that is set', () => {
    expect(loadConfig('scheduler', environment).alarms).toEqual({ metricSchedules: 1_000 });
    const { alarms } = loadConfig('scheduler', at('https://hc-ping.com/key', { STRONGROOM_METRIC_SCHEDULES: '0' }));
    expect(alarms).toEqual({ metricSchedules: 0, heartbeatUrl: new URL('https://hc-ping.com/key') });
  });

  it('sends the heartbeat in clear to no other machine, unless that is switched on', () => {
    for (const away of ['http://hc.example.com/key', 'http://10.0.0.1/key']) {
      expect(problemsOf('scheduler', at(away))).toEqual({
        STRONGROOM_HEARTBEAT_URL: expect.stringMatching(
          /^leads to [^/]+ by http.*STRONGROOM_ALLOW_PLAINTEXT to heartbeat/,
        ),
      });
    }
    const allowed = { STRONGROOM_ALLOW_PLAINTEXT: 'kafka,heartbeat' };
    expect(loadConfig('scheduler', at('http://10.0.0.1/key', allowed)).alarms.heartbeatUrl?.hostname).toBe('10.0.0.1');
    for (const here of ['http://localhost:8000/key', 'http://127.0.0.1/key', 'http://[::1]:8000/key']) {
      expect(loadConfig('scheduler', at(here)).alarms.heartbeatUrl).toEqual(new URL(here));
    }
  });

  it('shows no heartbeat address that is wrong: it is a secret', () => {
    for (const wrong of ['hc-ping.com/hush', 'ftp://hc-ping.com/hush', 'https://hc-ping.com/hush#part']) {
      const { STRONGROOM_HEARTBEAT_URL: problem, ...others } = problemsOf('scheduler', at(wrong));
      expect([others, problem]).toEqual([
        {},
        expect.stringMatching(/^is not of the right form; it must be like https:/),
      ]);
      expect(problem).not.toContain('hush');
    }
  });
});
