/** Runs a server on a restored folder until every table is read. Nothing of it runs when this returns. */
import type { Trial, TrialOptions } from '../../trial.js';
import { fitToHost } from './host-settings.js';
import { readTables } from './read-tables.js';
import { programsFor, ScratchServer } from './scratch-server.js';

/** @throws when the server does not start, or a table can't be read */
export async function tryOut({ directory, scratch, version, programs, signal }: TrialOptions): Promise<Trial> {
  const major = Number.parseInt(version, 10);
  const found = await programsFor(major, programs);
  if (typeof found === 'string') return { notStarted: found };
  const start = () => ScratchServer.start(found, scratch, directory, major);
  const server = await start().catch(async (error: unknown) => {
    if (signal.aborted || !(await fitToHost(directory, major))) throw error;
    return start();
  });
  const stop = () => void server.stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await readTables(server);
  } finally {
    signal.removeEventListener('abort', stop);
    await server.stop();
  }
}
