/**
 * Jest's runtime, which reads the files of packages once for each worker and not once for each file of tests: an app has two thousand
 * of them. Our own files are read each time, because somebody who watches the tests changes them meanwhile.
 */
const { sep } = require('node:path');
const { default: Runtime } = require('jest-runtime');

const packages = `${sep}node_modules${sep}`;
const kept = new Map();

/** The texts that a runtime has read, by their path. */
class Texts extends Map {
  get(path) {
    return super.get(path) ?? kept.get(path);
  }

  set(path, text) {
    if (path.includes(packages)) kept.set(path, text);
    else super.set(path, text);
    return this;
  }
}

module.exports = class KeepingRuntime extends Runtime {
  constructor(config, environment, resolver, transformer, texts, ...others) {
    super(config, environment, resolver, transformer, new Texts(texts), ...others);
  }
};
