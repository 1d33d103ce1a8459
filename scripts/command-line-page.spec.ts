import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { answerList } from '../apps/cli/src/endings.js';
import { exitCodeList } from '../apps/cli/src/exit-codes.js';
import { strongroomProgram } from '../apps/cli/src/program.js';
import { commandLinePage, leavesOf } from './command-line-page.js';
import { manPage } from './man-page.js';

const fileOf = (name: string) => readFileSync(join(__dirname, '..', 'docs', name), 'utf8');
const page = fileOf('command-line.md');

describe('the page of the command line', () => {
  it('is what the commands say: `npm run docs` writes it', () => {
    expect(page).toBe(commandLinePage(strongroomProgram(), exitCodeList, answerList));
  });

  it('is another one as soon as a command, an option, an exit code or an answer is another', () => {
    const [first, ...rest] = exitCodeList;
    if (!first) throw new Error('there are no codes');
    expect(commandLinePage(strongroomProgram(), [{ ...first, code: 99 }, ...rest], answerList)).not.toBe(page);
    expect(commandLinePage(strongroomProgram(), exitCodeList, answerList.slice(1))).not.toBe(page);
    const more = strongroomProgram();
    more.commands[0]?.option('--more', 'an option more');
    expect(commandLinePage(more, exitCodeList, answerList)).not.toBe(page);
    const another = strongroomProgram();
    another.command('another');
    expect(commandLinePage(another, exitCodeList, answerList)).not.toBe(page);
  });
});

describe('the commands', () => {
  const leaves = leavesOf(strongroomProgram());
  const without = (option: string, isMeant: (path: string, has: (other: string) => boolean) => boolean) =>
    leaves
      .map(({ path, command }) => ({
        path,
        has: (other: string) => command.options.some(({ long }) => long === other),
      }))
      .filter(({ path, has }) => isMeant(path, has) && !has(option))
      .map(({ path }) => path);

  it('have --json, all but the one that prints a script of a shell, and --plain, all that print a list', () => {
    expect(without('--json', () => true)).toEqual(['strongroom completion']);
    expect(without('--plain', (path) => / (list|runs|deliveries)$/.test(path))).toEqual([]);
  });

  it('have --no-input and --dry-run, all that may ask before they do something', () => {
    expect(leaves.length).toBeGreaterThan(50);
    for (const option of ['--no-input', '--dry-run']) expect(without(option, (_, has) => has('--yes'))).toEqual([]);
    expect(without('--yes', (path) => / delete$/.test(path))).toEqual([]);
  });
});

describe('the page of man', () => {
  it('is what the commands say: `npm run docs` writes it', () => {
    expect(fileOf('strongroom.1')).toBe(manPage(strongroomProgram(), exitCodeList));
  });

  it('has no line that roff would take for a request or an escape', () => {
    const program = strongroomProgram();
    program.command('odd').description(".SH a\\b\n'c");
    const line = manPage(program, exitCodeList)
      .split('\n')
      .find((each) => each.includes('SH a'));
    expect(line).toBe("\\&.SH a\\eb 'c");
  });
});
