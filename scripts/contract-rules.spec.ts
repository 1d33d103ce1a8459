import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { contractRules } from '../test/contract-rules.js';
import { contractPage, everyEnding, fuzzedIn, notSeen, seenIn } from './contract-page.js';
import { matching } from './contract-tests.js';

describe('the rules of the contract', () => {
  it('name tests that there are', () => {
    const rules = Object.values(contractRules).flat();
    expect(rules.length).toBeGreaterThan(50);
    const missing = rules.flatMap(({ shown }) =>
      shown.filter(([spec, title]) => {
        const source = readFileSync(join(__dirname, '..', spec), 'utf8');
        return !["'", '"', '`'].some((quote) => source.includes(`${quote}${title}${quote}`));
      }),
    );
    expect(missing).toEqual([]);
  });

  it('each have a test', () => {
    for (const { rule, shown } of Object.values(contractRules).flat())
      expect([rule, shown.length]).not.toEqual([rule, 0]);
  });
});

describe('the page of the contract', () => {
  const page = readFileSync(join(__dirname, '..', 'docs', 'contract.md'), 'utf8');

  it('has every rule, every operation and every way in which it ends: `npm run docs` writes them', () => {
    expect(page).toBe(contractPage(seenIn(page), fuzzedIn(page)));
  });

  it('keeps the test that has seen an ending, and says where no run has seen one yet', () => {
    const [first, second] = everyEnding;
    const fuzzed = { requests: 7, of5xx: 0, leaks: 0 };
    const made = contractPage((ending) => (ending === first ? 'a | b ([spec](../a.spec.ts))' : undefined), fuzzed);
    expect(made.split(notSeen)).toHaveLength(everyEnding.length);
    expect(first && seenIn(made)(first)).toBe('a | b ([spec](../a.spec.ts))');
    expect(second && seenIn(made)(second)).toBeUndefined();
    expect(fuzzedIn(made)).toEqual(fuzzed);
    expect(() => fuzzedIn('# Nothing')).toThrow('has no figures');
  });
});

describe('a test that is named by its title in the source', () => {
  const ran = (title: string, status = 'passed') => [{ spec: 'a.spec.ts', title, status }];

  it('is found under every title that it ran with', () => {
    expect(
      matching(ran('takes no 14.0 (really) for an integer'), ['a.spec.ts', 'takes no %s for an integer']),
    ).toHaveLength(1);
    expect(matching(ran('is a 404: GET /a/{id}'), ['a.spec.ts', 'is a 404: $method $path'])).toHaveLength(1);
  });

  it('is not found when it is another, or of another spec', () => {
    expect(matching(ran('takes no 14 for an integer, twice'), ['a.spec.ts', 'takes no %s for an integer'])).toEqual([]);
    expect(matching(ran('takes nothing'), ['b.spec.ts', 'takes nothing'])).toEqual([]);
    expect(matching(ran('costs a.b'), ['a.spec.ts', 'costs a?b'])).toEqual([]);
  });
});
