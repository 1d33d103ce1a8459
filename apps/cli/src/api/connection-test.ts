/** How the test of a connection is shown. */
import type { ConnectionTest } from '@strongroom/contracts';
import { exitCodes } from '../exit-codes.js';
import { inLine, note, say, sayJson } from '../output.js';
import type { PrintOptions } from './api-options.js';

/** The command fails when no full backup could be taken. An incremental needs more of a server, and is no must. */
export function showTest(id: string, test: ConnectionTest, { json, plain }: PrintOptions): void {
  if (!test.full.possible) process.exitCode = exitCodes.failed;
  if (json) sayJson({ connection_test: test }, 2);
  else for (const line of plain ? plainLines(test) : lines(test)) say(line);
  if (!test.full.possible) note(`Once that is put right, try again: strongroom instance test ${id}`);
}

function lines({ server, full, incremental, tried, warnings }: ConnectionTest): string[] {
  const of = (what: string, { possible, missing }: ConnectionTest['full']) => [
    `${what} backups: ${possible ? 'possible' : 'not possible'}`,
    ...missing.map((sentence) => `  ${inLine(sentence)}`),
  ];
  return [
    server ? `The server of version ${inLine(server.version)} answers.` : 'The server let nobody in.',
    ...of('Full', full),
    ...of('Incremental', incremental),
    ...tried.map(({ what, fault }) => `Tried: ${inLine(what)}: ${fault ? inLine(fault.message) : 'well'}`),
    ...warnings.map((warning) => `Warning: ${inLine(warning)}`),
  ];
}

function plainLines({ server, full, incremental, tried, warnings }: ConnectionTest): string[] {
  const of = (what: string, { possible, missing }: ConnectionTest['full']) => [
    `${what}\t${possible ? 'yes' : 'no'}`,
    ...missing.map((sentence) => `${what}-missing\t${inLine(sentence)}`),
  ];
  return [
    `server\t${server ? inLine(server.version) : '-'}`,
    ...of('full', full),
    ...of('incremental', incremental),
    ...tried.map(({ what, fault }) => `tried\t${inLine(what)}\t${fault ? inLine(fault.message) : '-'}`),
    ...warnings.map((warning) => `warning\t${inLine(warning)}`),
  ];
}
