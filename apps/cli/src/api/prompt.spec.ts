import { PassThrough } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { Interrupted, UsageFault } from '../command-fault.js';
import { mustBeConfirmed } from './confirm.js';
import { lineTyped } from './prompt.js';

/** Two streams that say that they are a terminal, and what was shown there. */
function terminal({ isTTY = true } = {}) {
  const input = Object.assign(new PassThrough(), { isTTY });
  const output = Object.assign(new PassThrough(), { isTTY });
  let shown = '';
  output.on('data', (chunk: Buffer) => (shown += chunk));
  return { input, output, shown: () => shown };
}

describe('a question at the terminal', () => {
  it('does not show what is typed when it is secret', async () => {
    const at = terminal();
    const typed = lineTyped('Token: ', { hidden: true, terminal: at });
    at.input.write('sesamx\u007fe\r');
    expect(await typed).toBe('sesame');
    expect(at.shown()).toBe('Token: \n');
  });

  it('ends by Ctrl-C, and by the end of the input', async () => {
    const [one, other] = [terminal(), terminal()];
    const interrupted = lineTyped('Token: ', { terminal: one });
    one.input.write('\u0003');
    await expect(interrupted).rejects.toBeInstanceOf(Interrupted);
    const ended = lineTyped('Token: ', { terminal: other });
    other.input.end();
    await expect(ended).rejects.toBeInstanceOf(UsageFault);
  });
});

describe('what destroys something', () => {
  const what = 'Backup nightly will be deleted.';

  it('is done when the name or the id was typed, and not when anything else was', async () => {
    for (const [text, isDone] of [
      ['nightly', true],
      ['01a2', true],
      ['y', false],
      ['', false],
    ] as const) {
      const at = terminal();
      const asked = mustBeConfirmed(what, ['nightly', '01a2'], { input: true }, at);
      at.input.write(`${text}\r`);
      const outcome = await asked.then(
        () => 'done',
        (error: unknown) => error,
      );
      if (isDone) expect(outcome).toBe('done');
      else expect(outcome).toBeInstanceOf(UsageFault);
    }
  });

  it('is refused where nobody can be asked, with the way to do it', async () => {
    for (const [at, input] of [
      [terminal({ isTTY: false }), true],
      [terminal(), false],
    ] as const) {
      const refused = mustBeConfirmed(what, ['nightly'], { input }, at);
      await expect(refused).rejects.toThrow(
        `${what} Nobody can be asked here, so nothing was done. Run it again with --yes to do it.`,
      );
    }
  });
});
