import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { lacks } from '../../../test/services/outside-parts.js';
import { completionScript } from './completion.js';
import { strongroomProgram } from './program.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-completion-'));
  // fish completes the words of a program that there is.
  writeFileSync(join(folder, 'strongroom'), '#!/bin/sh\n');
  chmodSync(join(folder, 'strongroom'), 0o755);
  writeFileSync(join(folder, 'token.txt'), '');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a shell in the folder, with nothing of whoever runs the test. @returns what it has printed */
function ran(program: string, args: readonly string[]): string {
  const { stdout, stderr, status } = spawnSync(program, args, {
    cwd: folder,
    encoding: 'utf8',
    env: {
      PATH: `${folder}:${process.env.PATH}`,
      HOME: folder,
      XDG_CONFIG_HOME: folder,
      ZDOTDIR: folder,
      TERM: 'vt100',
    },
  });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  return stdout;
}

/** The promises, for a shell that offers words where a line ends. */
function completes(offered: (line: string) => string[]): void {
  it('is each command, after its group', () => {
    expect(offered('strongroom sche')).toEqual(['schedule']);
    expect(offered('strongroom ')).toEqual(expect.arrayContaining(['login', 'backup', 'restore', 'completion']));
    expect(offered('strongroom schedule r').sort()).toEqual(['resume', 'run', 'runs']);
    expect(offered('strongroom schedule --json sh')).toEqual(['show']);
  });

  it('is each option of a command, and each value that is known', () => {
    expect(offered('strongroom schedule delete --')).toEqual(expect.arrayContaining(['--yes', '--dry-run', '--help']));
    expect(offered('strongroom schedule list --ye')).toEqual([]);
    expect(offered('strongroom instance register --tls verify').sort()).toEqual(['verify-ca', 'verify-full']);
    expect(offered('strongroom completion f')).toEqual(['fish']);
  });

  it('is a file, where an option takes a value of its own, which is no command', () => {
    expect(offered('strongroom login --token-file tok')).toEqual(['token.txt']);
    expect(offered('strongroom schedule list --profile backup --pl')).toEqual(['--plain']);
  });
}

/** The tests of a shell, where it is here. */
function describeShell(shell: 'zsh' | 'fish', prepare: () => void, offered: (line: string) => string[]): void {
  describe(`what ${shell} completes`, () => {
    if (spawnSync('sh', ['-c', `command -v ${shell}`]).status !== 0) {
      const why = `There is no ${shell}.`;
      lacks('shells', why);
      it.todo(`was NOT RUN: ${why}`);
      return;
    }
    beforeAll(prepare);
    completes(offered);
  });
}

/**
 * Runs an interactive zsh on a terminal of its own, as its user has it: with the script among the functions, which are loaded at the first
 * completion. What each completion has to offer is written into a file, and so is the line that was made of it.
 */
const typed = `
zmodload zsh/zpty
zpty shell zsh -i
zpty -r shell said '*ready> *'
zpty -w -n shell "$1"$'\t\x14'
while zpty -r shell said; do :; done
`;
const startup = `
PS1='ready> '
LISTMAX=10000
fpath=("$ZDOTDIR/functions" $fpath)
autoload -Uz compinit && compinit -u
typeset -a offers
compadd() { local -a found; builtin compadd -O found "$@"; offers+=("\${found[@]}"); builtin compadd "$@" }
tell() { print -rl -- "\${offers[@]}" > "$ZDOTDIR/offers"; BUFFER=exit; zle accept-line }
zle -N tell
bindkey '^T' tell
`;
describeShell(
  'zsh',
  () => {
    mkdirSync(join(folder, 'functions'));
    writeFileSync(join(folder, 'functions', '_strongroom'), completionScript('zsh', strongroomProgram()));
    writeFileSync(join(folder, '.zshrc'), startup);
  },
  (line) => {
    ran('zsh', ['-f', '-c', typed, 'zsh', line]);
    return [...new Set(readFileSync(join(folder, 'offers'), 'utf8').split('\n').filter(Boolean))];
  },
);

describeShell(
  'fish',
  () => {
    const completions = join(folder, 'fish', 'completions');
    mkdirSync(completions, { recursive: true });
    writeFileSync(join(completions, 'strongroom.fish'), completionScript('fish', strongroomProgram()));
  },
  (line) =>
    ran('fish', ['-c', 'complete -C "$argv[1]"', line])
      .split('\n')
      .filter(Boolean)
      .map((each) => each.split('\t')[0] ?? ''),
);
