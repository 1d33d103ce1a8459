/** Finds the database of the ledger that a command works on: from the environment, else from the local stack. */
import { existsSync, readFileSync } from 'node:fs';
import { messageOf } from '@strongroom/contracts';
import { whyNotVerified } from '@strongroom/runtime/light';
import { z } from 'zod';
import { UsageFault } from './command-fault.js';

const stackFile = '.strongroom/stack.json';
const stack = z.object({ postgres: z.string() });
const variable = 'STRONGROOM_DATABASE_URL';
const otherUrl = `Set ${variable} as the services have it.`;

/** @throws {UsageFault} when no database is named, or one that would be reached over a network without TLS that is verified */
export function databaseUrl(env: NodeJS.ProcessEnv = process.env): string {
  const url = urlOf(env);
  const isAllowed = env.STRONGROOM_ALLOW_PLAINTEXT?.split(',').some((each) => each.trim() === 'database');
  const why = isAllowed || !URL.canParse(url) ? undefined : whyNotVerified(url);
  if (why !== undefined) throw new UsageFault(`${variable} ${why}.`, otherUrl);
  return url;
}

function urlOf(env: NodeJS.ProcessEnv): string {
  const given = env[variable]?.trim();
  const path = env[`${variable}_FILE`]?.trim();
  if (given) return given;
  if (path) return contentOf(path).trim();
  if (existsSync(stackFile)) {
    const { data } = stack.safeParse(JSON.parse(contentOf(stackFile)));
    if (data) return data.postgres;
  }
  throw new UsageFault(
    'No database is known.',
    `Give the URL of the ledger's database: ${variable}, or ${variable}_FILE with a path.`,
  );
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageFault(`${path} can't be read: ${messageOf(error)}`, otherUrl, { cause: error });
  }
}
