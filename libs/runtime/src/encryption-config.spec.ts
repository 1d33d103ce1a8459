import { describe, expect, it } from '@jest/globals';
import { environment, problemsOf } from '../fixtures/configuration.js';
import { loadConfig } from './config.js';
import { unfitForFips } from './encryption-config.js';

const { STRONGROOM_RECIPIENTS: _, ...unsaid } = environment;
const recipient = `age1${'q'.repeat(58)}`;

describe('for whom backups are encrypted', () => {
  it('is said to a scheduler, or it does not start, and the error says both ways on', () => {
    for (const env of [unsaid, { ...unsaid, STRONGROOM_RECIPIENTS: ' ', STRONGROOM_RECIPIENTS_FILE: '' }]) {
      const problems = problemsOf('scheduler', env);
      expect(Object.keys(problems)).toEqual(['STRONGROOM_RECIPIENTS']);
      expect(problems.STRONGROOM_RECIPIENTS).toContain('strongroom keys new FILE');
      expect(problems.STRONGROOM_RECIPIENTS).toContain('STRONGROOM_RECIPIENTS=none');
    }
  });

  it('is nobody only where that is written, for all accounts or for one', () => {
    const of = (text: string) => loadConfig('scheduler', { ...unsaid, STRONGROOM_RECIPIENTS: text }).encryption;
    expect(of('none').recipients).toEqual({ usual: [], byAccount: new Map() });
    const some = of(JSON.stringify({ default: [recipient], accounts: { trial: 'none' } })).recipients;
    expect(some).toEqual({ usual: [{ key: recipient }], byAccount: new Map([['trial', []]]) });
    for (const empty of ['[]', '{"default": []}', '{"default": [""]}', ','])
      expect(problemsOf('scheduler', { ...unsaid, STRONGROOM_RECIPIENTS: empty })).toHaveProperty(
        'STRONGROOM_RECIPIENTS',
      );
  });

  it('is encrypted in the format of age, unless AES-256-GCM is asked for and every key can be one of it', () => {
    const kept = 'command:/usr/local/bin/our-kms projects/one/keys/two';
    const ownKey = `AGE-SECRET-KEY-1${'Q'.repeat(58)}`;
    const inAes = (env: NodeJS.ProcessEnv) => ({ ...unsaid, STRONGROOM_ENCRYPTION: 'aes-gcm', ...env });
    const formatOf = (env: NodeJS.ProcessEnv) => loadConfig('scheduler', env).encryption.format;
    expect(formatOf({ ...unsaid, STRONGROOM_RECIPIENTS: recipient })).toBe('age-encryption.org/v1');
    expect(formatOf({ ...unsaid, STRONGROOM_RECIPIENTS: kept })).toBe('age-encryption.org/v1');
    const fit = {
      STRONGROOM_RECIPIENTS: kept,
      STRONGROOM_CHAIN_KEY: `${kept}\n${ownKey}`,
      STRONGROOM_RESTORE_KEY: ownKey,
    };
    expect(formatOf(inAes(fit))).toBe('tink/AES256_GCM_HKDF_1MB');
    expect(formatOf(inAes({ STRONGROOM_RECIPIENTS: 'none' }))).toBe('tink/AES256_GCM_HKDF_1MB');
    const ofOneAccount = JSON.stringify({ default: [kept], accounts: { acme: [kept, recipient] } });
    for (const recipients of [recipient, `${kept}, ${recipient}`, ofOneAccount]) {
      const problems = problemsOf('scheduler', inAes({ STRONGROOM_RECIPIENTS: recipients }));
      expect(Object.keys(problems)).toEqual(['STRONGROOM_RECIPIENTS']);
      expect(problems.STRONGROOM_RECIPIENTS).toContain('with STRONGROOM_ENCRYPTION=aes-gcm');
      expect(problems.STRONGROOM_RECIPIENTS).toContain('command:/path/of/program NAME');
    }
    const unfit = problemsOf('scheduler', inAes({ ...fit, STRONGROOM_CHAIN_KEY: `${ownKey}\n${kept}` }));
    expect(Object.keys(unfit)).toEqual(['STRONGROOM_CHAIN_KEY']);
    expect(unfit.STRONGROOM_CHAIN_KEY).not.toContain(ownKey);
    expect(problemsOf('scheduler', inAes({ STRONGROOM_ENCRYPTION: 'openpgp' }))).toHaveProperty(
      'STRONGROOM_ENCRYPTION',
    );
  });

  it('is none of age where there are algorithms of FIPS 140 alone, and no key is', () => {
    const kept = 'command:/usr/local/bin/our-kms projects/one/keys/two';
    const ownKey = `AGE-SECRET-KEY-1${'Q'.repeat(58)}`;
    const unfitIn = (env: NodeJS.ProcessEnv) =>
      Object.fromEntries(
        unfitForFips(loadConfig('scheduler', { ...unsaid, ...env }).encryption).map(({ variable, problem }) => [
          variable,
          problem,
        ]),
      );
    for (const recipients of [recipient, kept]) {
      const problems = unfitIn({ STRONGROOM_RECIPIENTS: recipients });
      expect(problems).toEqual({ STRONGROOM_ENCRYPTION: expect.stringContaining('must be aes-gcm') });
    }
    expect(unfitIn({ STRONGROOM_RECIPIENTS: 'none' })).toEqual({});
    const inAes = { STRONGROOM_ENCRYPTION: 'aes-gcm', STRONGROOM_RECIPIENTS: kept };
    expect(unfitIn({ ...inAes, STRONGROOM_CHAIN_KEY: kept, STRONGROOM_RESTORE_KEY: kept })).toEqual({});
    const former = { STRONGROOM_CHAIN_KEY: `${kept}\n${ownKey}`, STRONGROOM_RESTORE_KEY: ownKey };
    const problems = unfitIn({ ...inAes, ...former });
    expect(Object.keys(problems)).toEqual(Object.keys(former));
    for (const problem of Object.values(problems)) {
      expect(problem).toContain('without --enable-fips');
      expect(problem).not.toContain(ownKey);
    }
  });

  it('is nothing that the other services need to know', () => {
    for (const app of ['api', 'replicator'] as const) expect(loadConfig(app, unsaid)).not.toHaveProperty('encryption');
  });
});
