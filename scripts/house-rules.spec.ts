import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { breachesOf, speakOfPostgresql } from './house-rules.js';

const root = join(__dirname, '..');
const rooms = ['apps', 'libs', 'scripts', 'test', 'bench'];

describe('the house rules', () => {
  const paths = rooms.flatMap((room) =>
    readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
      .map((path) => `${room}/${path}`)
      // What measurements are made beside is installed in folders of its own.
      .filter((path) => /\.(tsx?|mjs|cjs)$/.test(path) && !path.includes('/node_modules/')),
  );

  it('are kept by every file', () => {
    expect(paths.length).toBeGreaterThan(100);
    const breaches = paths.flatMap((path) => breachesOf({ path, text: readFileSync(join(root, path), 'utf8') }));
    expect(breaches).toEqual([]);
  });

  const opening = '/** What it is for. */\n';
  // The parts are joined here, because this file must not break the rule itself.
  const silencer = ['//', '@ts-expect-error'].join(' ');
  const [version, slash] = [['', 'v1.0', ''].join('/'), '/'];
  const opened = ['create', 'DataSource'].join('');
  const broken: [string, string, string][] = [
    ['silences a check', 'apps/api/src/main.ts', `${opening}${silencer}\n`],
    ['is named for no one thing', 'libs/ledger/src/append-utils.ts', opening],
    ['is named for no one thing', 'libs/ledger/src/base.ts', opening],
    ['opens without a sentence', 'apps/console/src/main.tsx', 'export const shown = <p />;\n'],
    ['is an index.ts', 'libs/contracts/src/http/index.ts', opening],
    ['has a fault', 'libs/ledger/src/ledger-fault.ts', `${opening}export class LedgerFault extends ${'Error'} {}\n`],
    [
      "reads an error's message",
      'libs/ledger/src/ledger.ts',
      `${opening}const why = e ${'instanceof'} Error ? e.message : e;\n`,
    ],
    ['opens without a sentence', 'libs/ledger/src/append.ts', 'export const append = 1;\n'],
    ['takes the time', 'libs/domain/src/slots.ts', `${opening}const now = new Date();\n`],
    ['speaks of PostgreSQL', 'apps/cli/src/restore-command.ts', `${opening}const hint = 'see its tablespaces';\n`],
    ['speaks of PostgreSQL', 'apps/scheduler/src/jobs/chain-end.ts', `${opening}// drops its replication slot\n`],
    ['speaks of PostgreSQL', 'libs/contracts/src/events.ts', `${opening}const wal = z.enum(['wal_level']);\n`],
    ['speaks of PostgreSQL', 'libs/engines/src/engine.ts', `${opening}import pg from 'pg';\n`],
    ['spells a path', 'test/restore.spec.ts', `const url = \`\${api}${version}acme\`;\n`],
    ['spells a path', 'apps/stack/src/demo.ts', `${opening}call('GET', '${slash}backups');\n`],
    ['spells a path', 'apps/api/src/backups/routes.ts', `${opening}@Controller('v1.0${slash}:accountId')\n`],
    [
      'sleeps',
      'test/outage.spec.ts',
      `import { setTimeout as delay } from ['node:timers/promises'];\n`.replace(/[[\]]/g, ''),
    ],
    ['connects as a service does', 'test/outage.spec.ts', `await ${opened}(options).initialize();\n`],
  ];
  it.each(broken)('see a file that %s: %s', (says, path, text) => {
    const breaches = breachesOf({ path, text });
    expect(breaches).toHaveLength(1);
    expect(breaches[0]).toMatch(`${path} ${says}`);
  });

  it('let each file speak of PostgreSQL that has its reason, and no longer than it needs to', () => {
    const text = `${opening}const database = 'PostgreSQL';\n`;
    for (const path of Object.keys(speakOfPostgresql)) {
      expect(breachesOf({ path, text })).toEqual([]);
      // With another name it breaks the rule, so the exception is needed.
      const renamed = path.replace(/\.ts$/, '-too.ts');
      expect(breachesOf({ path: renamed, text: readFileSync(join(root, path), 'utf8') })).not.toEqual([]);
    }
    const example = `${opening}const body = { datastore: { type: 'postgresql', version: '18' } };\n`;
    for (const path of ['apps/api/src/operations.ts', 'libs/domain/src/backup.ts']) {
      expect(breachesOf({ path, text: example })).toEqual([]);
    }
  });

  it('let a good file be', () => {
    const text = `#!/usr/bin/env node\n${opening}const at = new Date(0);\n`;
    for (const path of ['apps/cli/src/main.ts', 'libs/domain/src/slots.ts', 'libs/domain/src/index.ts']) {
      expect(breachesOf({ path, text })).toEqual([]);
    }
  });
});
