import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { codeBlocksOf, commandsOf, pagesThatAreRun, unmarkedBlocks } from './command-blocks.js';

const root = join(__dirname, '..');
const textOf = (path: string) => readFileSync(join(root, path), 'utf8');
const isMade = (text: string) => /^(`npm run docs(:hostile)?` writes this page|Written by `npm test`)/m.test(text);

describe('the blocks of commands of the pages', () => {
  const pages = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)]
    .filter((path) => path.endsWith('.md'))
    .map((path) => ({ path, text: textOf(path) }));
  const written = pages.filter(({ text }) => !isMade(text));

  it('are run by a test or say why not, in every page that people write', () => {
    expect(written.map(({ path }) => path)).toEqual(expect.arrayContaining([...pagesThatAreRun]));
    expect(written.flatMap(unmarkedBlocks)).toEqual([]);
  });

  it('are a session in its own page alone', () => {
    const text = '```console\n$ ls\n```\n';
    expect(unmarkedBlocks({ path: 'docs/session.md', text })).toEqual([]);
    expect(unmarkedBlocks({ path: 'docs/operations.md', text })).toEqual([expect.stringContaining('nobody runs')]);
  });

  it('are read with their language and their mark, within lists too', () => {
    const page =
      'A\n\n<!-- not run: why -->\n```sh\nrm x\n\nrm y\n```\n\n- B\n\n  ```json\n  {}\n  ```\n\n```sh\nls\n```\n';
    expect(codeBlocksOf(page)).toEqual([
      { line: 4, language: 'sh', text: 'rm x\n\nrm y\n', notRun: 'why' },
      { line: 12, language: 'json', text: '{}\n', notRun: undefined },
      { line: 16, language: 'sh', text: 'ls\n', notRun: undefined },
    ]);
    expect(commandsOf(page)).toEqual(['ls\n']);
  });

  it.each([
    ['docs/security.md', '```sh\nls\n```\n', 'nobody runs'],
    ['docs/operations.md', '```sql\nselect 1\n```\n', 'nobody runs'],
    ['docs/operations.md', '<!-- not run: -->\n```bash\nls\n```\n', 'nobody runs'],
    ['docs/operations.md', 'Run this:\n\n    ls\n', 'says not what it is'],
    ['docs/operations.md', '- Run this:\n\n      ls\n', 'says not what it is'],
    ['docs/operations.md', '```\nls\n```\n', 'says not what it is'],
  ])('in %s are refused without a mark: %j', (path, text, says) => {
    expect(unmarkedBlocks({ path, text })).toEqual([expect.stringContaining(says)]);
  });

  it.each([
    '```sh\nls\n```\n',
    '```json\n{}\n```\n',
    '- A list\n\n  that goes on\n',
    '<!-- not run: w y -->\n```sql\nx\n```\n',
  ])('are taken as they should be: %j', (text) =>
    expect(unmarkedBlocks({ path: 'docs/operations.md', text })).toEqual([]),
  );
});
