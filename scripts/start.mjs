/** `npm start`: installs and builds what is missing, then starts the stack in this process. */
import { setUp } from './set-up.mjs';

await setUp();
await import('../dist/apps/stack/src/main.js');
