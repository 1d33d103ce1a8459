import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from '@jest/globals';

const program = join(__dirname, '..', '..', '..', 'dist', 'apps', 'cli', 'src', 'main.js');

describe('strongroom, when its output is read no further', () => {
  it('ends without a word, as other programs do', async () => {
    const child = spawn(process.execPath, [program, '--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
    const [said, ended] = [text(child.stderr), once(child, 'exit')];
    child.stdout.destroy();
    expect(await ended).toEqual([141, null]);
    expect(await said).toBe('');
  });
});
