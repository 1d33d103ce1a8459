/** Runs the command line in the process of the test, which costs a tenth of what the built program does. */
import { expect, jest } from '@jest/globals';
import { exitCodes } from '../../apps/cli/src/exit-codes.js';
import { runStrongroom } from '../../apps/cli/src/program.js';

export interface Said {
  code: typeof process.exitCode;
  out: string;
  err: string;
}

/** @param env all that its environment has, beside the path */
export async function runInTest(args: readonly string[], more: Readonly<Record<string, string>>): Promise<Said> {
  const said = { out: '', err: '' };
  const { env, exitCode } = process;
  const writes = (
    [
      ['stdout', 'out'],
      ['stderr', 'err'],
    ] as const
  ).map(([stream, kind]) =>
    jest.spyOn(process[stream], 'write').mockImplementation((chunk) => {
      said[kind] += String(chunk);
      return true;
    }),
  );
  process.env = { PATH: env.PATH, ...more };
  process.exitCode = 0;
  try {
    await runStrongroom([...args, '--no-input']);
    return { code: process.exitCode, ...said };
  } finally {
    for (const write of writes) write.mockRestore();
    process.exitCode = exitCode;
    process.env = env;
  }
}

/** The document of a command that has to be done. */
export async function documentInTest(args: readonly string[], env: Readonly<Record<string, string>>) {
  const { code, out, err } = await runInTest([...args, '--json'], env);
  expect({ code, err }).toEqual({ code: exitCodes.done, err: expect.not.stringContaining('strongroom:') });
  return JSON.parse(out);
}
