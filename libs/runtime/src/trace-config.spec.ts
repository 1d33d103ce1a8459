import { describe, expect, it } from '@jest/globals';
import { environment, problemsOf } from '../fixtures/configuration.js';
import { loadConfig } from './config.js';

const at = (value: string, env: NodeJS.ProcessEnv = {}) => ({
  ...environment,
  OTEL_EXPORTER_OTLP_ENDPOINT: value,
  ...env,
});

describe('the configuration of traces', () => {
  it('tells them to nobody unless an endpoint is set', () => {
    expect(loadConfig('scheduler', environment).traces).toBeUndefined();
    expect(loadConfig('scheduler', at('http://127.0.0.1:4318')).traces).toEqual({
      url: new URL('http://127.0.0.1:4318/v1/traces'),
      headers: {},
      sampledShare: 1,
      serviceName: 'strongroom-scheduler',
    });
  });

  it('has the headers, the share and the name that are set', () => {
    const env = {
      OTEL_EXPORTER_OTLP_HEADERS: 'Authorization=Bearer%20t0ken, x-team=databases',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
      OTEL_SERVICE_NAME: 'backups-of-dfw',
    };
    expect(loadConfig('replicator', at('https://collect.example.com/otlp/', env)).traces).toEqual({
      url: new URL('https://collect.example.com/otlp/v1/traces'),
      headers: { authorization: 'Bearer t0ken', 'x-team': 'databases' },
      sampledShare: 0.25,
      serviceName: 'backups-of-dfw',
    });
  });

  it('goes in clear to no other machine, unless that is switched on', () => {
    const away = 'http://collector:4318';
    expect(problemsOf('api', at(away))).toEqual({
      OTEL_EXPORTER_OTLP_ENDPOINT: expect.stringMatching(/^leads to collector by http.*to traces/),
    });
    const allowed = loadConfig('replicator', at(away, { STRONGROOM_ALLOW_PLAINTEXT: 'kafka,traces' }));
    expect(allowed.traces?.url.hostname).toBe('collector');
  });

  it.each([
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'https://name:hush@collector'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'authorization hush'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'authorization=%hush'],
    ['OTEL_TRACES_SAMPLER_ARG', '2'],
    ['OTEL_TRACES_SAMPLER_ARG', 'all'],
  ])('names a wrong %s, and shows no secret of it', (name, value) => {
    const { [name]: problem, ...others } = problemsOf('scheduler', at('https://collector', { [name]: value }));
    expect([others, problem]).toEqual([{}, expect.stringContaining('must be')]);
    if (!name.includes('SAMPLER')) expect(problem).not.toContain('hush');
  });
});
