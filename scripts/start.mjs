/** `npm start`: installs and builds what is missing, then starts the stack in this very process. */
import { checkNode, installIfMissing } from './install.mjs';

checkNode();
installIfMissing();
const { build, isBuilt } = await import('./build.mjs');
if (!isBuilt()) {
  process.stdout.write('Building …\n');
  build();
}
await import('../dist/apps/stack/src/main.js');
