/** How the test of a connection is shown. */
import type { ConnectionTest } from '@strongroom/contracts';
import { clockTold } from '../doctor/finding.js';
import { endWith } from '../exit-codes.js';
import { inLine, say, sayJson } from '../output.js';
import type { PrintOptions } from './api-options.js';

/** The command fails when no full backup could be taken. An incremental needs more of a server, and is no must. */
export function showTest(id: string, test: ConnectionTest, { json, plain }: PrintOptions): void {
  if (json) sayJson({ connection_test: test }, 2);
  else for (const line of plain ? plainLines(test) : lines(test)) say(line);
  if (!test.full.possible) endWith('failed', `Put that right, and try again: strongroom instance test ${id}`);
}

/** What the service warns of, and clocks that are apart. */
function warningsOf({ server, warnings }: ConnectionTest): string[] {
  if (server === null || server.clock_ahead_seconds === null) return warnings;
  const { result, says, next } = clockTold('the server', server.clock_ahead_seconds * 1_000, 'the service');
  return result === 'warning' ? [...warnings, `${says} ${next}`] : warnings;
}

function lines(test: ConnectionTest): string[] {
  const { server, full, incremental, tried } = test;
  const of = (what: string, { possible, missing }: ConnectionTest['full']) => [
    `${what} backups: ${possible ? 'possible' : 'not possible'}`,
    ...missing.map((sentence) => `  ${inLine(sentence)}`),
  ];
  return [
    server ? `The server of version ${inLine(server.version)} answers.` : 'The server let nobody in.',
    ...of('Full', full),
    ...of('Incremental', incremental),
    ...tried.map(({ what, fault }) => `Tried: ${inLine(what)}: ${fault ? inLine(fault.message) : 'well'}`),
    ...warningsOf(test).map((warning) => `Warning: ${inLine(warning)}`),
  ];
}

function plainLines(test: ConnectionTest): string[] {
  const { server, full, incremental, tried } = test;
  const of = (what: string, { possible, missing }: ConnectionTest['full']) => [
    `${what}\t${possible ? 'yes' : 'no'}`,
    ...missing.map((sentence) => `${what}-missing\t${inLine(sentence)}`),
  ];
  return [
    `server\t${server ? inLine(server.version) : '-'}`,
    ...of('full', full),
    ...of('incremental', incremental),
    ...tried.map(({ what, fault }) => `tried\t${inLine(what)}\t${fault ? inLine(fault.message) : '-'}`),
    ...warningsOf(test).map((warning) => `warning\t${inLine(warning)}`),
  ];
}
