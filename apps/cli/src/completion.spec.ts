import { spawnSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { Command } from 'commander';
import { completionScript, shells } from './completion.js';
import { strongroomProgram } from './program.js';

/** What a shell of its own offers after these words. */
function offered(...words: string[]): string[] {
  const script = completionScript('bash', strongroomProgram());
  const line = ['strongroom', ...words];
  const asks = `${script}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _strongroom; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync('bash', ['--norc', '-uc', asks, 'bash', ...line], { encoding: 'utf8' });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  return stdout.split('\n').filter(Boolean);
}

describe('what a shell completes', () => {
  it('is each command, after its group', () => {
    expect(offered('sche')).toEqual(['schedule']);
    expect(offered('')).toEqual(expect.arrayContaining(['login', 'backup', 'restore', 'completion']));
    expect(offered('schedule', 'r')).toEqual(['runs', 'resume', 'run']);
    expect(offered('schedule', '--json', 'sh')).toEqual(['show']);
  });

  it('is each option of a command, and each value that is known', () => {
    expect(offered('schedule', 'delete', '--')).toEqual(expect.arrayContaining(['--yes', '--dry-run', '--help']));
    expect(offered('schedule', 'list', '--ye')).toEqual([]);
    expect(offered('instance', 'register', '--tls', 'verify')).toEqual(['verify-ca', 'verify-full']);
    expect(offered('completion', 'f')).toEqual(['fish']);
  });

  it('is a file, by the shell itself, where an option takes a value of its own', () => {
    expect(offered('login', '--token-file', '')).toEqual([]);
    // The value is none of the commands.
    expect(offered('schedule', 'list', '--profile', 'backup', '--pl')).toEqual(['--plain']);
  });

  it('has every command in every shell', () => {
    const program = strongroomProgram();
    for (const shell of shells) {
      const script = completionScript(shell, program);
      for (const group of program.commands)
        for (const { name } of group.commands.map((each) => ({ name: `${group.name()} ${each.name()}` })))
          expect(script).toContain(`'${name}'`);
    }
  });

  it('is nothing that a shell would read as more than a word', () => {
    for (const name of ['a;b', '$(b)', "it's", 'a`b`']) {
      const program = new Command('strongroom');
      program.command('group').command(name);
      for (const shell of shells) expect(() => completionScript(shell, program)).toThrow('cannot stand in a script');
    }
  });
});
