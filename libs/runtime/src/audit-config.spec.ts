import { describe, expect, it } from '@jest/globals';
import { environment, problemsOf } from '../fixtures/configuration.js';
import { loadConfig } from './config.js';

describe('the configuration of the audit', () => {
  it('reads where the audit is written besides', () => {
    const away = { ...environment, STRONGROOM_ALLOW_PLAINTEXT: 'kafka,syslog' };
    const of = (value: string) => loadConfig('api', { ...away, STRONGROOM_AUDIT_SYSLOG: value }).audit;
    expect(of('log.example.com:601')).toEqual({ keptDays: 90, syslog: { host: 'log.example.com', port: 601 } });
    expect(of('[2001:db8::1]:601').syslog).toEqual({ host: '2001:db8::1', port: 601 });
    for (const wrong of ['log.example.com', ':601', 'a:0', 'a:65536', '2001:db8::1:601', 'a:b']) {
      expect(Object.keys(problemsOf('api', { ...environment, STRONGROOM_AUDIT_SYSLOG: wrong }))).toEqual([
        'STRONGROOM_AUDIT_SYSLOG',
      ]);
    }
  });

  it('sends the audit in clear to no other machine, unless that is switched on', () => {
    const at = (value: string, env: NodeJS.ProcessEnv = {}) => ({
      ...environment,
      STRONGROOM_AUDIT_SYSLOG: value,
      ...env,
    });
    for (const away of ['log.example.com:601', '10.0.0.1:601', '[2001:db8::1]:601']) {
      expect(problemsOf('api', at(away))).toEqual({
        STRONGROOM_AUDIT_SYSLOG: expect.stringMatching(/in clear.*STRONGROOM_ALLOW_PLAINTEXT to syslog/),
      });
    }
    for (const here of ['localhost:601', '127.0.0.1:601', '[::1]:601']) {
      expect(loadConfig('api', at(here)).audit.syslog).toBeDefined();
    }
  });
});
