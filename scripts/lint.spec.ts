import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const root = join(__dirname, '..');

const text = `async function later(): Promise<number> {
  return 1;
}
export class Lender {
  private never = 1;
  lend(): number {
    later();
    if (later()) return 1;
    const cast = later as unknown as number;
    const loose: any = cast;
    throw loose! + this.never;
  }
}
it.only('runs alone', () => {
  console.log('   ');
});
`;

const expected = [
  'plugin',
  'lint/nursery/noFloatingPromises',
  'lint/nursery/noMisusedPromises',
  'lint/style/noNonNullAssertion',
  'lint/style/useFilenamingConvention',
  'lint/style/useReadonlyClassProperties',
  'lint/suspicious/noConsole',
  'lint/suspicious/noExplicitAny',
  'lint/suspicious/noFocusedTests',
];

describe('the linter', () => {
  let directory: string;
  let report: string;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'strongroom-lint-'));
    mkdirSync(join(directory, 'scripts'));
    for (const path of ['biome.json', 'scripts/no-double-cast.grit']) cpSync(join(root, path), join(directory, path));
    mkdirSync(join(directory, 'libs'));
    writeFileSync(join(directory, 'libs/Lender_Of.ts'), text);
    const bin = join(root, 'node_modules/@biomejs/biome/bin/biome');
    report = await new Promise((resolve) => {
      const args = [bin, 'ci', '--colors=off', '--max-diagnostics=none', 'libs'];
      execFile(process.execPath, args, { cwd: directory }, (_failed, stdout, stderr) => resolve(stdout + stderr));
    });
  }, 30_000);
  afterAll(() => rmSync(directory, { recursive: true }));

  it.each(expected)('sees %s', (rule) => {
    expect(report).toMatch(new RegExp(`Lender_Of\\.ts(:\\d+:\\d+)? ${rule} `));
  });

  it('lets no breach pass', () => {
    expect(report).toContain('Some errors were emitted');
  });
});
