import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';

const root = join(__dirname, '..');

/** A small project with allowed imports, and with one forbidden import of each kind. */
const files: Record<string, string> = {
  'libs/contracts/src/index.ts': `export * from './event.js';`,
  'libs/contracts/src/event.ts': `import { z } from 'zod'; import { now } from '@strongroom/runtime'; export const event = z.date(now);`,
  'libs/runtime/src/index.ts': `export * from './clock.js';`,
  'libs/runtime/src/clock.ts': `import { x } from '@strongroom/contracts'; export const now = x;`,
  'libs/client/src/index.ts': `import 'node:timers/promises'; import { now } from '@strongroom/runtime'; export const client = now;`,
  'libs/domain/src/index.ts': `export * from './decide.js'; export * from './evolve.js';`,
  'libs/domain/src/decide.ts': `import { v5 } from 'uuid'; import { x } from '@strongroom/contracts'; export const decide = v5(x);`,
  'libs/domain/src/evolve.ts': `import 'node:fs'; import '@nestjs/common'; import type { now } from '@strongroom/runtime'; export type X = now;`,
  'libs/database/src/index.ts': `import 'typeorm'; export const schema = 1;`,
  'libs/ledger/src/index.ts': `import { decide } from '@strongroom/domain'; export * from '../../contracts/src/event.js'; export const x = decide;`,
  'libs/feed/src/index.ts': `import { x } from '@strongroom/ledger'; import { y } from '@strongroom/read-model'; export const feed = [x, y];`,
  'libs/read-model/src/index.ts': `import { one } from './one.js'; export const y = one;`,
  'libs/read-model/src/one.ts': `import { two } from './two.js'; export const one = two;`,
  'libs/read-model/src/two.ts': `import { one } from './one.js'; export const two = one;`,
  'libs/vault/src/index.ts': `import { start } from './vault.contract.js'; export const vault = start;`,
  'libs/vault/src/vault.contract.ts': `import { start } from '../../../test/services/start.js'; export { start };`,
  'libs/vault/src/vault.int.spec.ts': `import '@strongroom/database'; import '@strongroom/engines'; import 'fast-check';`,
  'libs/engines/src/index.ts': `import 'fast-check'; import 'left-pad'; export const engine = 1;`,
  'libs/engines/src/left-over.ts': `export const nobody = 1;`,
  'apps/api/src/main.ts': `import { feed } from '@strongroom/feed'; import { hand } from '../../scheduler/src/hand.js'; feed.push(hand);`,
  'apps/cli/src/main.ts': `import { now } from '@strongroom/runtime'; import type { x } from './light.js'; export const y: x = now;`,
  'apps/cli/src/light.ts': `import type { now } from '@strongroom/runtime'; export type x = now;`,
  'libs/engines/src/engines.ts': `import { one } from './mysql/engine.js'; import { b } from './oracle/engine.js'; export const all = [one, b];`,
  'libs/engines/src/store.ts': `import { one } from './mysql/engine.js'; export const store = one;`,
  'libs/engines/src/mysql/engine.ts': `import 'zod'; export const one = 1;`,
  'libs/engines/src/oracle/engine.ts': `import { one } from '../mysql/engine.js'; export const b = one;`,
  'libs/server-processes/src/index.ts': `import 'zod'; export const start = 1;`,
  'apps/stack/src/main.ts': `import { start } from '@strongroom/server-processes'; start.toString();`,
  'apps/replicator/src/main.ts': `import { start } from '@strongroom/server-processes'; start.toString();`,
  'apps/api/src/backups/commands.ts': `import { of } from '../copies/resource.js'; export const command = of;`,
  'apps/api/src/copies/resource.ts': `import 'zod'; export const of = 1;`,
  'apps/api/src/copies/routes.ts': `import { command } from '../backups/commands.js'; export const route = command;`,
  'apps/api/src/edge/parse.ts': `import { of } from '../copies/resource.js'; export const parse = of;`,
  'apps/console/src/main.tsx': `import { x } from '@strongroom/contracts'; import { get } from './api/operations.js'; export const shown = [x, get];`,
  'apps/console/src/api/operations.ts': `import * as contract from '@strongroom/contracts'; export const get = contract;`,
  'apps/scheduler/src/hand.ts': `import { vault } from '@strongroom/vault'; import { whole } from '@strongroom/engines/in-this-process'; export const hand = [vault, whole];`,
  'libs/engines/src/in-this-process.ts': `import 'zod'; export const whole = 1;`,
  'apps/scheduler/src/hand.spec.ts': `import { whole } from '@strongroom/engines/in-this-process'; whole.toString();`,
  'test/services/start.ts': `import '@strongroom/database'; export const start = 1;`,
};

const forbidden = [
  'arrows-of-contracts: libs/contracts/src/event.ts → libs/runtime/src/index.ts',
  'arrows-of-client: libs/client/src/index.ts → libs/runtime/src/index.ts',
  'packages-of-client: libs/client/src/index.ts → timers/promises',
  'arrows-of-domain: libs/domain/src/evolve.ts → libs/runtime/src/index.ts',
  'packages-of-domain: libs/domain/src/evolve.ts → fs',
  'packages-of-domain: libs/domain/src/evolve.ts → node_modules/@nestjs/common',
  'public-doors: libs/ledger/src/index.ts → libs/contracts/src/event.ts',
  'arrows-of-feed: libs/feed/src/index.ts → libs/read-model/src/index.ts',
  'no-cycles: libs/read-model/src/one.ts → libs/read-model/src/two.ts',
  'tests-stay-out-of-production: libs/vault/src/index.ts → libs/vault/src/vault.contract.ts',
  'arrows-of-vault-tests: libs/vault/src/vault.int.spec.ts → libs/engines/src/index.ts',
  'declared-packages: libs/engines/src/index.ts → node_modules/fast-check',
  'no-unresolved: libs/engines/src/index.ts → left-pad',
  'no-orphans: libs/engines/src/left-over.ts → libs/engines/src/left-over.ts',
  'the-command-line-starts-fast: apps/cli/src/main.ts → libs/runtime/src/index.ts',
  'nouns-of-the-api: apps/api/src/copies/routes.ts → apps/api/src/backups/commands.ts',
  'the-console-runs-in-browsers: apps/console/src/main.tsx → libs/contracts/src/index.ts',
  'the-edge-knows-no-noun: apps/api/src/edge/parse.ts → apps/api/src/copies/resource.ts',
  'one-file-names-the-adapters: libs/engines/src/store.ts → libs/engines/src/mysql/engine.ts',
  'adapters-stand-alone: libs/engines/src/oracle/engine.ts → libs/engines/src/mysql/engine.ts',
  'backups-are-read-apart: apps/scheduler/src/hand.ts → libs/engines/src/in-this-process.ts',
  'only-the-stack-starts-servers: apps/replicator/src/main.ts → libs/server-processes/src/index.ts',
  'apps-stand-alone: apps/api/src/main.ts → apps/scheduler/src/hand.ts',
];

const report = z.object({
  summary: z.object({
    violations: z.array(z.object({ rule: z.object({ name: z.string() }), from: z.string(), to: z.string() })),
  }),
});

describe('the arrows', () => {
  let house: string;
  let found: string[];

  beforeAll(async () => {
    house = mkdtempSync(join(tmpdir(), 'strongroom-arrows-'));
    for (const shared of ['tsconfig.json', 'package.json']) cpSync(join(root, shared), join(house, shared));
    symlinkSync(join(root, 'node_modules'), join(house, 'node_modules'));
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(house, dirname(path)), { recursive: true });
      writeFileSync(join(house, path), text);
    }
    found = await cruise(house);
  }, 30_000);
  afterAll(() => rmSync(house, { recursive: true }));

  it.each(forbidden)('forbid %s', (violation) => {
    expect(found.some((one) => one.startsWith(violation))).toBe(true);
  });

  it('forbid nothing else', () => {
    // Each module of a cycle is reported. The forbidden arrows between libraries make cycles too.
    const others = found.filter((one) => !forbidden.some((violation) => one.startsWith(violation)));
    expect(others.filter((one) => !one.startsWith('no-cycles'))).toEqual([]);
  });
});

function cruise(directory: string): Promise<string[]> {
  const bin = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const config = join(root, '.dependency-cruiser.cjs');
  const args = [bin, '--config', config, '--output-type', 'json', 'apps', 'libs', 'test'];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { cwd: directory, maxBuffer: 100_000_000 }, (error, stdout, stderr) => {
      if (!stdout) return reject(new Error(`dependency-cruiser ended without a report: ${stderr}`, { cause: error }));
      const { violations } = report.parse(JSON.parse(stdout)).summary;
      resolve(
        violations.map(
          ({ rule, from, to }) => `${rule.name}: ${from} → ${to.replace(/^.*node_modules/, 'node_modules')}`,
        ),
      );
    });
  });
}
