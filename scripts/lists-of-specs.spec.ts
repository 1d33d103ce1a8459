import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';

const root = join(__dirname, '..');
const listed = (name: string): unknown =>
  JSON.parse(readFileSync(join(root, 'test', 'services', `${name}.json`), 'utf8'));

describe('the lists of specs', () => {
  const long = z.array(z.string()).parse(listed('long-specs'));
  const groups = z.array(z.object({ why: z.string().min(1), specs: z.array(z.string()) }));
  const same = groups.parse(listed('same-on-every-node')).flatMap(({ specs }) => specs);

  it.each([
    ['of those that begin first', long],
    ['of those that are the same on every Node', same],
  ])('%s name each spec once, and none that is not there', (_, specs) => {
    expect(specs.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    expect(specs).toHaveLength(new Set(specs).size);
  });

  it('leave no unit test and no test of the built apps out on any Node', () => {
    expect(same.filter((path) => !path.endsWith('.int.spec.ts'))).toEqual([]);
  });
});
