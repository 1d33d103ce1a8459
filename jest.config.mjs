// These packages ship ES modules only. Jest cannot require them before Node 24.9, so it transforms them as it does our code.
const esmOnly = [
  '@nestjs',
  'file-type',
  'strtok3',
  'token-types',
  'uint8array-extras',
  '@tokenizer',
  'load-esm',
  '@borewit',
  'iterare',
  'cookie',
  'light-my-request',
  'fast-querystring',
  'uuid',
  'cctv-age',
];

const project = {
  rootDir: import.meta.dirname,
  testEnvironment: '<rootDir>/test/services/patient-environment.mjs',
  resolver: '<rootDir>/test/services/resolver.mjs',
  runtime: '<rootDir>/test/services/keeping-runtime.cjs',
  transform: {
    '\\.[jt]s$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
          keepClassNames: true,
        },
        module: { type: 'commonjs' },
      },
    ],
  },
  transformIgnorePatterns: [`/node_modules/(?!(${esmOnly.join('|')})/)`],
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/.strongroom'],
};

/** There are three suites. Unit and integration tests lie beside the code, end-to-end tests in test/. */
export default {
  testSequencer: '<rootDir>/test/services/longest-first.mjs',
  // A worker that has nothing left to do may need seconds to end where others keep the cores. One that still has something open is told of.
  workerGracefulExitTimeout: 30_000,
  projects: [
    {
      ...project,
      displayName: 'unit',
      // An option on the command line takes the place of patterns that ignore: nothing else keeps integration tests out.
      testMatch: ['<rootDir>/{apps,libs,scripts}/**/!(*.int).spec.ts'],
      setupFilesAfterEnv: ['<rootDir>/test/services/patience.ts'],
    },
    {
      ...project,
      displayName: 'integration',
      testMatch: ['<rootDir>/{apps,libs}/**/*.int.spec.ts'],
      globalSetup: '<rootDir>/test/services/setup.mjs',
      globalTeardown: '<rootDir>/test/services/teardown.mjs',
      setupFilesAfterEnv: ['<rootDir>/test/services/patience.ts'],
    },
    {
      ...project,
      displayName: 'e2e',
      testMatch: ['<rootDir>/test/**/*.spec.ts'],
      globalSetup: '<rootDir>/test/services/setup.mjs',
      globalTeardown: '<rootDir>/test/services/teardown.mjs',
      setupFilesAfterEnv: ['<rootDir>/test/services/patience.ts'],
    },
  ],
};
