/** `npm start`: installs and builds what is missing, then starts the stack in this process. Help needs neither. */
import { readFileSync } from 'node:fs';
import { setUp } from './set-up.mjs';

const asked = process.argv.slice(2);
if (asked.includes('--help') || asked.includes('-h')) {
  process.stdout.write(readFileSync(new URL('../apps/stack/help.txt', import.meta.url), 'utf8'));
} else {
  await setUp();
  await import('../dist/apps/stack/src/main.js');
}
