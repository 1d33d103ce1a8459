/** Each write that a service may ever make is in its grants: also one that no test of the roles sees, since it comes late or seldom. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { grants, type Privilege, type ServiceName, serviceNames } from '@strongroom/database';
import { ownerOfTable } from './table-owners.js';

const root = join(__dirname, '..');
const notProduction = /\.(spec|contract)\.ts$|\/fixtures\//;
const workers: readonly ServiceName[] = ['scheduler', 'replicator'];

/** Who runs the statements of a file: the first that fits counts. */
const runners: readonly [RegExp, readonly ServiceName[]][] = [
  [/^apps\/api\//, ['api']],
  [/^apps\/scheduler\//, ['scheduler']],
  [/^apps\/replicator\//, ['replicator']],
  // Every service relays.
  [/^libs\/feed\/src\/(kafka\/|ledger-identity)/, serviceNames],
  [/^libs\/feed\//, workers],
  [/^libs\/runtime\/src\/set-aside/, serviceNames],
  // Whoever logs in at a server counts.
  [/^libs\/runtime\/src\/server-logins/, ['api', 'scheduler']],
  // Copies alone find out that a region is away.
  [/^libs\/runtime\/src\/region-outages/, ['replicator']],
  // They alone make copies.
  [/^libs\/runtime\/src\/limits-in-force/, ['replicator']],
  // The command line does it with the role of the owner.
  [/^libs\/runtime\/src\/set-transfer-limits/, []],
  [/^libs\/runtime\//, workers],
  [/^libs\/credentials\//, ['api']],
  [/^libs\/database\/src\/functions\/job_/, workers],
  // The API alone is asked by clients.
  [/^libs\/database\/src\/functions\/request_/, ['api']],
  // The API alone keeps the audit.
  [/^libs\/ledger\/src\/audit-/, ['api']],
  // The vaults are read again by the replicator alone.
  [/^libs\/read-model\/src\/verifications/, ['replicator']],
  [/^libs\/(ledger|read-model|database\/src\/functions)\//, serviceNames],
  [/^libs\/database\/src\//, []],
  // Its sentence tells an operator what to run.
  [/^libs\/vault\/src\/vault-marker/, []],
];

interface Write {
  table: string;
  verb: Privilege;
}

/** What the statements in a text write, or lock, which needs the right to update. */
function writesOf(text: string): Write[] {
  const code = text.replace(/^\s*(?:--|\*|\/\*\*|\/\/).*$/gm, '');
  const written = [...code.matchAll(/\b(insert into|update|delete from)\s+(?:only\s+)?([a-z_]+)\b/gi)].map(
    ([, verb = '', table = '']) => ({ table, verb: verb.split(' ')[0]?.toLowerCase() as Privilege }),
  );
  const locked = [...code.matchAll(/\bfrom\s+([a-z_]+)\b[^;`']*?\bfor (?:no key )?(?:update|share)\b/gi)].map(
    ([, table = '']): Write => ({ table, verb: 'update' }),
  );
  return [...written, ...locked].filter(({ table }) => Object.hasOwn(ownerOfTable, table));
}

const files = ['apps', 'libs'].flatMap((room) =>
  readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
    .map((path) => `${room}/${path}`)
    .filter((path) => /\.(ts|sql)$/.test(path) && !notProduction.test(path) && path !== 'libs/database/schema.sql')
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
    // Such a function writes with the rights of its owner.
    .filter(({ path, text }) => !(path.endsWith('.sql') && /security definer/.test(text))),
);

describe('the grants', () => {
  it('have every write of every file, for each service that runs it', () => {
    const found = files.flatMap(({ path, text }) => writesOf(text).map((write) => ({ path, ...write })));
    expect(found.length).toBeGreaterThan(50);
    const lacking = found.flatMap(({ path, table, verb }) => {
      const [, services] = runners.find(([where]) => where.test(path)) ?? [];
      if (!services) return [`${path} writes to ${table}, and nobody is said to run it`];
      const without = services.filter((service) => !(grants[service].tables[table] ?? []).includes(verb));
      return without.map((service) => `${path}: the ${service} has no right to ${verb} ${table}`);
    });
    expect([...new Set(lacking)]).toEqual([]);
  });

  it('are compared with each kind of write', () => {
    const text = "query('insert into job (id) values (1)'); query(`select 1 from slot_timer where a = $1 for update`);";
    expect(writesOf(text)).toEqual([
      { table: 'job', verb: 'insert' },
      { table: 'slot_timer', verb: 'update' },
    ]);
    expect(writesOf('query(`with gone as (delete from set_aside) update job set a = 1`);')).toEqual([
      { table: 'set_aside', verb: 'delete' },
      { table: 'job', verb: 'update' },
    ]);
    expect(writesOf('// update job\n/** delete from job */ const sentence = "from there";')).toEqual([]);
  });
});
