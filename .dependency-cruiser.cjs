/**
 * The arrows: what may import what. The public door of a library is its index.ts, and nothing reaches past it. In a rule,
 * `$1` is what the first group of `from.path` matched.
 */

const { peerDependencies } = require('./package.json');

/** What production code may import. A library that is not here imports nothing of ours. */
const arrows = {
  contracts: [],
  client: ['contracts'],
  runtime: ['contracts'],
  database: ['contracts', 'runtime'],
  domain: ['contracts'],
  ledger: ['contracts', 'domain', 'runtime'],
  feed: ['contracts', 'runtime', 'ledger'],
  'read-model': ['contracts', 'runtime', 'ledger'],
  encryption: ['contracts'],
  vault: ['contracts', 'encryption', 'runtime'],
  engines: ['contracts', 'encryption', 'runtime', 'server-processes', 'vault'],
  credentials: ['contracts', 'runtime'],
  identity: ['contracts', 'runtime'],
  'server-processes': ['contracts', 'runtime'],
  'local-services': ['contracts', 'runtime', 'server-processes'],
};

/**
 * The packages that a library may import, Node's own among them. A library that is not here may import any dependency of package.json.
 * The domain takes nothing but digests from Node: the same input gives the same output.
 */
const packages = { client: ['zod'], contracts: ['zod'], domain: ['crypto', 'uuid'] };

const tests = '\\.(spec|contract)\\.ts$|^(?:libs|apps)/[^/]+/fixtures/|^libs/domain/src/given\\.ts$|^test/|^bench/';
const ours = '^(libs|apps|test|bench|scripts)/';
const oneOf = (names) => `(${names.join('|')})`;
/** What the tests of a library may import besides, to prepare what they test. */
const forTests = [
  '^test/',
  `^libs/${oneOf(['database', 'domain', 'local-services', 'server-processes'])}/src/index\\.ts$`,
];

/** An app imports it before any library, so it has a door of its own. */
const beforeAll = '^libs/runtime/src/free-this-process\\.ts$';
/** What must load no framework takes this door of libs/runtime. */
const light = '^libs/runtime/src/light\\.ts$';
/** Takes and restores backups in the process that calls it, which is for tests. */
const inThisProcess = '^libs/engines/src/in-this-process\\.ts$';

const nouns = oneOf(['schedules', 'backups', 'copies', 'instances', 'datastores', 'events', 'explanations']);

const layers = Object.entries(arrows).flatMap(([library, targets]) => {
  const reachable = `^libs/${oneOf([library, ...targets])}/`;
  const comment = `libs/${library} may import ${targets.join(', ') || 'nothing of ours'}`;
  return [
    {
      name: `arrows-of-${library}`,
      comment: `${comment}.`,
      severity: 'error',
      from: { path: `^libs/${library}/`, pathNot: tests },
      to: { path: ours, pathNot: reachable },
    },
    {
      name: `arrows-of-${library}-tests`,
      comment: `${comment}; its tests besides test/, the database, the domain, local services and server processes.`,
      severity: 'error',
      from: { path: `^libs/${library}/.*(${tests})` },
      to: { path: ours, pathNot: [reachable, ...forTests] },
    },
  ];
});

const imports = Object.entries(packages).map(([library, allowed]) => ({
  name: `packages-of-${library}`,
  comment: `libs/${library} is pure: it may import ${allowed.join(', ')} and nothing else that is not ours.`,
  severity: 'error',
  from: { path: `^libs/${library}/`, pathNot: tests },
  to: { pathNot: [ours, `^${oneOf(allowed)}$`, `(^|/)node_modules/${oneOf(allowed)}/`] },
}));

module.exports = {
  forbidden: [
    ...layers,
    ...imports,
    {
      name: 'public-doors',
      comment: "Another library is reached through its index.ts, as '@strongroom/<library>', never past it.",
      severity: 'error',
      from: { path: '^(?:libs|apps)/([^/]+)/|^(?:test|bench)/' },
      to: {
        path: '^libs/([^/]+)/',
        pathNot: ['^libs/$1/', '^libs/[^/]+/src/index\\.ts$', beforeAll, light, inThisProcess],
      },
    },
    {
      name: 'apps-stand-alone',
      comment: 'An app imports libraries, never another app; and no library imports an app.',
      severity: 'error',
      from: { path: '^(?:apps/([^/]+)|libs)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'the-console-runs-in-browsers',
      comment:
        'The console imports preact, and types of the contract. The paths of operations come to it through one file, by the build.',
      severity: 'error',
      from: { path: '^apps/console/', pathNot: [tests, '^apps/console/src/api/operations\\.ts$'] },
      to: {
        pathNot: ['^apps/console/', '(^|/)node_modules/preact/'],
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'nouns-of-the-api',
      comment:
        'A noun of the API uses what another one shows, and the rules of regions; never its routes or its commands.',
      severity: 'error',
      from: { path: `^apps/api/src/${nouns}/`, pathNot: tests },
      to: {
        path: `^apps/api/src/${nouns}/`,
        pathNot: ['^apps/api/src/$1/', '/resource\\.ts$', '^apps/api/src/copies/regions\\.ts$'],
      },
    },
    {
      name: 'the-edge-knows-no-noun',
      comment: 'What every request passes holds for every noun of the API, so it imports none.',
      severity: 'error',
      from: { path: '^apps/api/src/edge/', pathNot: tests },
      to: { path: `^apps/api/src/(${nouns}|service|console)/` },
    },
    {
      name: 'one-file-names-the-adapters',
      comment:
        'Which engines and which kinds of vaults there are is said in engines.ts and in vaults.ts. The door of libs/vault has a kind for tests.',
      severity: 'error',
      from: {
        path: '^libs/(engines|vault)/src/[^/]+\\.ts$',
        // `upgrade-folder.ts` moves a vault of one kind into another.
        pathNot: [tests, '^libs/engines/src/engines\\.ts$', '^libs/vault/src/(vaults|index|upgrade-folder)\\.ts$'],
      },
      // What runs an engine in a process of its own is none, nor what limits transfers, nor the door of stores of objects.
      to: {
        path: '^libs/$1/src/[^/]+/',
        pathNot: ['^libs/engines/src/apart/', '^libs/vault/src/flow/', '^libs/vault/src/object/object-store\\.ts$'],
      },
    },
    {
      name: 'adapters-stand-alone',
      comment:
        'An engine, or a kind of vault, imports nothing of another one. Every store of objects is a vault by the same code.',
      severity: 'error',
      from: { path: '^libs/(engines|vault)/src/([^/]+)/' },
      to: { path: '^libs/$1/src/[^/]+/', pathNot: ['^libs/$1/src/$2/', '^libs/vault/src/object/'] },
    },
    {
      name: 'only-the-stack-starts-servers',
      comment:
        'The services and the command line reach servers through an engine; the local stack and tests start them.',
      severity: 'error',
      from: { path: '^apps/', pathNot: [tests, '^apps/stack/'] },
      to: { path: '^libs/(local-services|server-processes)/' },
    },
    {
      name: 'backups-are-read-apart',
      comment:
        'What takes or restores a backup reads the bytes of a stranger, and does so in a process of its own: EnginesApart.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: tests },
      to: { path: inThisProcess },
    },
    {
      name: 'the-command-line-starts-fast',
      comment: 'The framework that libs/runtime loads doubles the start of the command line. Types of it may be used.',
      severity: 'error',
      // These are loaded when their commands are called.
      from: {
        path: '^(apps/cli|libs/(vault|engines))/',
        pathNot: [tests, '^apps/cli/src/(limits|catalog/rebuild|doctor/(doctor|kafka-checks))\\.ts$'],
      },
      to: { path: '^libs/runtime/', pathNot: [beforeAll, light], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'tests-stay-out-of-production',
      comment: 'What runs in production imports no spec, fixture, test service or benchmark.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: tests },
      to: { path: tests },
    },
    {
      name: 'no-cycles',
      comment: 'Modules that import each other in a circle can only be understood all at once.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-orphans',
      comment: 'A file that nothing imports, and that imports nothing, is left over.',
      severity: 'error',
      from: { orphan: true, path: '^(apps|libs)/', pathNot: '\\.(spec|d)\\.ts$|/main\\.tsx?$' },
      to: {},
    },
    {
      name: 'no-unresolved',
      comment:
        'Everything imported is there and is named in package.json. The peers of a measurement are installed when it runs.',
      severity: 'error',
      from: { pathNot: '^bench/peers/' },
      to: { couldNotResolve: true },
    },
    {
      name: 'declared-packages',
      comment:
        'Production imports only what package.json names under dependencies, and the SDKs of some stores where they were installed. The build puts what the console imports into its script.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: [tests, '^apps/console/'] },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        dependencyTypesNot: ['type-only'],
        pathNot: Object.keys(peerDependencies).map((name) => `(^|/)node_modules/${name}/`),
      },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|\\.strongroom)/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default'],
    },
  },
};
