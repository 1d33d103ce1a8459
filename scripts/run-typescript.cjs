/** Runs a TypeScript file that was not built: `node run-typescript.cjs file.ts`. Scripts, and specs that start a process, use it. */
const { readFileSync } = require('node:fs');
const { Module } = require('node:module');
const { resolve } = require('node:path');
const { transformSync } = require('@swc/core');

const root = resolve(__dirname, '..');
const { paths } = JSON.parse(readFileSync(resolve(root, 'tsconfig.json'), 'utf8')).compilerOptions;

const resolveFilename = Module._resolveFilename;
Module._resolveFilename = (request, parent, ...rest) => {
  const [aliased] = paths[request] ?? [];
  if (aliased) return resolve(root, aliased);
  const ours = parent?.filename?.endsWith('.ts') && request.startsWith('.');
  return resolveFilename(ours ? request.replace(/\.js$/, '.ts') : request, parent, ...rest);
};

require.extensions['.ts'] = (module, filename) => {
  const { code } = transformSync(readFileSync(filename, 'utf8'), {
    filename,
    jsc: {
      target: 'es2022',
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true },
    },
    module: { type: 'commonjs' },
  });
  module._compile(code, filename);
};

require(resolve(process.argv[2]));
