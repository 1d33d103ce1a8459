/** Where Node is told to use source maps, it keeps those of our own code, and not those of the libraries with all of their sources. */
import module from 'node:module';

/**
 * Holds for whatever is loaded from now on. The maps of TypeORM alone are 7 MiB of each process, in which nobody looks for an error of ours. Node
 * before 22.14 cannot tell the maps apart, and keeps all.
 */
export function keepOwnSourceMaps(): void {
  const limit: unknown = Reflect.get(module, 'setSourceMapsSupport');
  if (!process.sourceMapsEnabled || typeof limit !== 'function') return;
  Reflect.apply(limit, module, [true, { nodeModules: false, generatedCode: false }]);
}
