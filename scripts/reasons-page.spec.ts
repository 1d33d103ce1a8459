import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { everyReason } from '@strongroom/domain';
import { reasonsPage } from './reasons-page.js';

const page = readFileSync(join(__dirname, '..', 'docs', 'reasons.md'), 'utf8');

describe('the page of reasons', () => {
  it('is what the sentences say: `npm run docs` writes it', () => {
    expect(page).toBe(reasonsPage(everyReason()));
  });

  it('is another one as soon as a sentence or a reason is another', () => {
    const [first, ...rest] = everyReason();
    if (!first) throw new Error('there are no reasons');
    for (const change of [{ sentence: 'Something else.' }, { reason: 'else' }])
      expect(reasonsPage([{ ...first, ...change }, ...rest])).not.toBe(page);
  });
});
