/**
 * `npm run docs:hostile` tries everything that hostile servers and backups try in the tests, one after the other, and then bytes that nobody
 * thought of. It writes what came of it into docs/hostile-servers.md.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { fuzz, fuzzedPart } from './fuzz.mjs';

const specs = ['engines/src/postgresql/hostile-server.spec', 'engines/src/hostile-backup.spec'];
const folder = mkdtempSync(join(tmpdir(), 'strongroom-hostile-'));
try {
  const jest = resolve('node_modules/jest/bin/jest.js');
  const { status } = spawnSync(
    process.execPath,
    [jest, '--selectProjects', 'unit', '--runInBand', '--testPathPatterns', ...specs],
    { env: { ...process.env, STRONGROOM_HOSTILE_TABLE: folder }, stdio: 'inherit' },
  );
  if (status !== 0) process.exit(status ?? 1);
  const [servers, backups] = ['servers', 'backups'].map((name) => readFileSync(join(folder, `${name}.md`), 'utf8'));
  const seed = 1;
  const fuzzed = fuzz({ seconds: 20, seed });
  if (fuzzed.status !== 0) process.exit(fuzzed.status ?? 1);
  writeFileSync('docs/hostile-servers.md', `${page(servers, backups)}\n${fuzzedPart(fuzzed.forms, seed)}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function page(servers, backups) {
  const rows = (table) => table.trimEnd().split('\n').length - 2;
  const gibibytes = Math.round(totalmem() / 1_073_741_824);
  const load = loadavg()[1]?.toFixed(0);
  return `# What hostile servers and backups try

\`npm run docs:hostile\` writes this page. It runs the tests, which fail when an outcome is another one, or when memory or time are beyond their limits.
This run was on Node ${process.versions.node}, with ${cpus().length} cores, ${gibibytes} GiB of memory and a load of ${load} over five minutes.

*More memory* is what the process of the test had at the most, above what it had before. The scripted server and the vault are in the same process.
*Computed* is the time of the processor, and *time* is that of a clock on the wall. Attempts that end with \`server-stalled\` or \`reader-stalled\` wait
for their limit, which the tests set to parts of a second.

A backup, and a restore for a built server, runs in a process of its own besides. One that loops, grows, breaks, is stopped or is killed ends alone:
\`libs/engines/src/apart/engines-apart.int.spec.ts\` and \`libs/engines/src/apart/restore-apart.int.spec.ts\` show it.

## Servers: ${rows(servers)} inputs

${servers}
## Backups and vaults: ${rows(backups)} inputs

${backups}`;
}
