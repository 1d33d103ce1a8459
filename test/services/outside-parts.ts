/**
 * What tests need from outside of this repository, and may lack. A test that lacks a part does not run, and the end of the run
 * lists it with the reason; where the part is required, it fails. `outside-parts.json` has one line for each part.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect } from '@jest/globals';
import { z } from 'zod';

const names = [
  'kafka',
  'postgres-versions',
  'postgres-tools',
  'openstack-client',
  'keystone',
  'go',
  'versity',
  'age',
  'promtool',
  'moto',
  'azurite',
  'fake-gcs-server',
  'small-disk',
  'pgbouncer',
  'guest-users',
  'bubblewrap',
  'compiler',
  'chromium',
  'secret-tool',
  'shells',
] as const;
export type OutsidePart = (typeof names)[number];

const root = join(__dirname, '..', '..');
const listed = z.array(
  z.object({
    part: z.enum(names),
    what: z.string(),
    requiredBy: z.string(),
    needs: z.string(),
    /** `.ci/run` does not require it by itself. */
    onlyWhereAsked: z.boolean().default(false),
  }),
);

/** Every part, as the list has it. */
export const outsideParts = listed.parse(JSON.parse(readFileSync(join(__dirname, 'outside-parts.json'), 'utf8')));

/**
 * Notes that a part is missing for the tests that are running or being collected.
 * @param why a whole sentence or clause that names the cause
 * @throws when the part is required
 */
export function lacks(part: OutsidePart, why: string, env: NodeJS.ProcessEnv = process.env): undefined {
  const found = outsideParts.find((each) => each.part === part);
  if (!found) throw new Error(`outside-parts.json has no line for ${part}`);
  if (env[found.requiredBy] === '1') throw new Error(`${why} ${found.requiredBy}=1 makes that a failure.`);
  const { testPath = '', currentTestName } = expect.getState();
  const note = { part, why, spec: relative(root, testPath), test: currentTestName ?? '' };
  const notes = env.STRONGROOM_NOT_RUN;
  if (notes) appendFileSync(notes, `${JSON.stringify(note)}\n`);
  else process.stderr.write(`\nNOT RUN: ${note.spec} ${note.test} needs ${found.what}: ${why}\n\n`);
  return undefined;
}
