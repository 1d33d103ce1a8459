import { describe, expect, it } from '@jest/globals';
import { environment, problemsOf } from '../fixtures/configuration.js';
import { loadConfig } from './config.js';

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

  it('is nothing that the other services need to know', () => {
    for (const app of ['api', 'replicator'] as const) expect(loadConfig(app, unsaid)).not.toHaveProperty('encryption');
  });
});
