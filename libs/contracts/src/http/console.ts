/** The schemas and the operations of the console: its page and its files, and the session of whoever has signed in with a token. */
import { z } from 'zod';
import { rights } from '../rights.js';
import { utcTime } from './fields.js';
import type { Operation } from './operation.js';

export const consoleSession = z.object({
  account_id: z.string(),
  /** The name of the token. */
  name: z.string(),
  rights: z.array(z.enum(rights)),
  /** When it ends at the latest: it ends with its token too. */
  expires_at: utcTime,
});
export type ConsoleSession = z.infer<typeof consoleSession>;

export const consoleSessionResponse = z.object({ session: consoleSession });

export const getConsole = {
  name: 'getConsole',
  method: 'GET',
  path: '/console',
  summary: 'Show the console, as a page',
  notes: 'Where the console was not built, it is a 503 that says so.',
  status: 200,
  faults: ['serviceUnavailable'],
} as const satisfies Operation;

export const getConsoleAssetsFile = {
  name: 'getConsoleAssetsFile',
  method: 'GET',
  path: '/console/assets/{file}',
  summary: 'Get a file of the console',
  notes: 'The name of a file has a digest of what is in it, so the file never changes.',
  status: 200,
  faults: ['itemNotFound'],
} as const satisfies Operation;

export const postConsoleSession = {
  name: 'postConsoleSession',
  method: 'POST',
  path: '/console/session',
  summary: 'Sign in to the console',
  notes:
    'The token in X-Auth-Token is exchanged for a cookie, which no script can read. The cookie takes the place of the token in requests of pages of this origin. It ends after 8 hours, and with its token. A request of a page of another origin is a 403.',
  status: 200,
  response: consoleSessionResponse,
  faults: ['unauthorized', 'forbidden', 'overLimit'],
} as const satisfies Operation;

export const getConsoleSession = {
  name: 'getConsoleSession',
  method: 'GET',
  path: '/console/session',
  summary: 'Show who has signed in to the console',
  status: 200,
  response: consoleSessionResponse,
  faults: ['unauthorized', 'forbidden', 'overLimit'],
} as const satisfies Operation;

export const deleteConsoleSession = {
  name: 'deleteConsoleSession',
  method: 'DELETE',
  path: '/console/session',
  summary: 'Sign out of the console',
  notes: 'The browser forgets the cookie. A copy of it ends when its token is revoked, or after 8 hours.',
  status: 200,
  faults: ['forbidden', 'overLimit'],
} as const satisfies Operation;

export const consoleOperations: readonly Operation[] = [
  getConsole,
  getConsoleAssetsFile,
  postConsoleSession,
  getConsoleSession,
  deleteConsoleSession,
];
